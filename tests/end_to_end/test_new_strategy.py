"""A new strategy is one entry of the registry: everything else follows from it."""

import csv
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from django.conf import settings
from django.contrib import admin
from django.core.cache import cache
from django.core.management import call_command
from django.test import RequestFactory

from market_data.exports.files import export_csv
from market_data.models import DailyBar, MarketDay, PipelineRun, SourceFile
from market_data.runs import engine, lifecycle
from ml.selection import DayOfPicks, publish_picks
from portfolio.models import Strategy
from portfolio.system_strategies import record_system_strategies
from stocks.models import Publication, Stock, StockMetrics
from stocks.picks import screening
from tests.published import NEXT_SESSION, PUBLISHED_AT, SESSION, pick, publish

pytestmark = pytest.mark.django_db
API = "/api/suggested-stocks/"


@pytest.fixture(autouse=True)
def _quality(monkeypatch: pytest.MonkeyPatch) -> None:
    """A further strategy, of which neither a migration nor the file of thresholds knows anything."""
    cache.clear()
    parts = {
        "prediction": (0.6, lambda frame: frame["ml_prediction_score"].astype(float)),
        "return on equity": (0.4, lambda frame: frame["roe"].astype(float).rank(pct=True)),
    }
    rule = screening.StrategyRule("companies that earn well on their capital", parts, required=("roe",))
    monkeypatch.setitem(screening.STRATEGIES, "quality", rule)


def test_the_api_offers_and_describes_it(client: Any) -> None:
    publish("quality", [pick("TCS")])
    body = client.get(API, {"strategy": "quality"}).json()
    assert (body["strategy"], [stock["symbol"] for stock in body["stocks"]]) == ("quality", ["TCS"])
    assert "quality" in client.get(API, {"strategy": "lottery"}).json()["error"]["message"]
    parameters = client.get("/api/schema/?format=json").json()["paths"][API]["get"]["parameters"]
    [strategy] = [parameter for parameter in parameters if parameter["name"] == "strategy"]
    assert strategy["schema"]["enum"] == list(screening.STRATEGIES)


def test_its_thresholds_are_the_general_ones() -> None:
    filters = screening.load_filters(settings.STOCK_FILTERS_FILE, {})
    assert {threshold.key: threshold.value for threshold in filters.of("quality")} == dict(filters.general)


def test_a_selection_publishes_it_with_the_others() -> None:
    MarketDay.objects.create(date=SESSION, kind="normal", is_session=True, source="t")
    stock = Stock.objects.create(symbol="AAA", kind="share")
    bar = {"open": 100, "high": 101, "low": 99, "close": 100, "volume": 1, "series": "EQ", "source": "t"}
    DailyBar.objects.create(symbol=stock, date=SESSION, **bar)
    SourceFile.objects.create(session=SESSION, name="a", size=1, mtime_ns=1, sha256="0", rows=1, rejected=0)
    StockMetrics.objects.create(symbol=stock, date=SESSION, current_price=100, tradable=True)
    run = lifecycle.create_run("selection", SESSION, triggered_by="test")
    assert engine.advance(run.id, wait=True).status == PipelineRun.Status.COMPLETED
    published = Publication.objects.filter(date=SESSION, superseded_at=None)
    assert set(published.values_list("strategy", flat=True)) == set(screening.STRATEGIES)


def test_it_is_ranked_and_published(client: Any) -> None:
    figures: dict[str, Any] = {
        **pick("AAA", current_price=200.0, stop_loss=190.0, market_cap=5000.0),
        "volume": 500_000,
        "debt_to_equity": 0.3,
        "roe": 18.0,
    }
    frame = pd.DataFrame([figures, figures | {"symbol": "BBB", "roe": 12.0}, figures | {"symbol": "CCC", "roe": None}])
    filters = screening.load_filters(settings.STOCK_FILTERS_FILE, {})
    ranking = screening.ranked(frame, "quality", filters)
    assert ranking.picks["symbol"].tolist() == ["AAA", "BBB"]
    day = DayOfPicks(SESSION, NEXT_SESSION, None, {"quality": ranking.picks}, {"quality": ranking.summary})
    assert publish_picks(day, "selection_20260430_204512", PUBLISHED_AT) == 2
    assert client.get(API, {"strategy": "quality"}).json()["total"] == 2


def test_the_pages_list_it(client: Any) -> None:
    publish("quality", [pick("TCS")])
    assert [short["name"] for short in client.get("/").context["lists"]] == list(screening.STRATEGIES)
    for address in ("/picks/?strategy=quality", "/strategies/", "/history/"):
        response = client.get(address)
        assert response.status_code == 200
        assert "quality" in response.content.decode().casefold(), address
    assert "companies that earn well on their capital" in client.get("/strategies/").content.decode().casefold()
    assert client.get(f"/history/{SESSION}/quality/").status_code == 200


def test_the_admin_lets_a_person_choose_it(admin_user: Any) -> None:
    request = RequestFactory().get("/")
    request.user = admin_user
    form: Any = admin.site._registry[Strategy].get_form(request)()
    assert ("quality", "Quality") in list(form.fields["kind"].choices)
    mine = Strategy(owner=admin_user, name="Mine", kind="quality")
    mine.full_clean()
    assert mine.get_kind_display() == "Quality"


def test_migrating_gives_it_a_system_row_once_and_needs_no_migration() -> None:
    for _ in range(2):
        record_system_strategies(using="default")
    rows = Strategy.objects.filter(owner=None)
    assert sorted(rows.values_list("name", "kind")) == sorted((name, name) for name in screening.STRATEGIES)
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_migrations_record_the_system_rows() -> None:
    Strategy.objects.all().delete()
    call_command("migrate", verbosity=0)
    assert set(Strategy.objects.values_list("name", flat=True)) == set(screening.STRATEGIES)


def test_the_export_holds_it(tmp_path: Path) -> None:
    publish("quality", [pick("TCS")])
    export_csv(SESSION, tmp_path, "csv_export_20260430_204512", lambda *_: None)
    with (tmp_path / f"suggested_stocks_{SESSION}.csv").open(encoding="utf-8") as file:
        assert [(row["strategy"], row["symbol"]) for row in csv.DictReader(file)] == [("quality", "TCS")]
