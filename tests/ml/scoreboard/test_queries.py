"""The scoreboard read back: by API and pages, equal to the stored rows to the last digit."""

import math
import re
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ml.models import PickOutcome
from ml.scoreboard import queries
from stocks.units import PERCENT, rounded
from tests.published import PUBLISHED_AT, pick, publish, supersede

pytestmark = pytest.mark.django_db
DAYS = [date(2026, 4, 6) + timedelta(days=number) for number in range(3)]


def store(day: date, symbol: str, net: float | None, **facts: Any) -> PickOutcome:
    defaults: dict[str, Any] = {
        "date": day,
        "strategy": "growth",
        "symbol": symbol,
        "version": 1,
        "publication_version": 1,
        "published_at": PUBLISHED_AT,
        "is_late": False,
        "model_id": "m1",
        "rank": 1,
        "result": "not_bought" if net is None else "sold",
        "entry_date": day,
        "first_touched": None if net is None else "target",
        "return_pct": None if net is None else net / 3,
        "excess_pct": None if net is None else net / 7,
        "net_excess_pct": net,
        "universe_shares": 3,
        "as_of": day,
        "run_id": "r",
    }
    return PickOutcome.objects.create(**defaults | facts)


@pytest.fixture
def stored() -> None:
    store(DAYS[0], "AAA", 0.1)
    store(DAYS[0], "BBB", 0.2)
    store(DAYS[0], "CCC", 0.7, first_touched="stop")
    store(DAYS[0], "CCC", 0.3, version=2, first_touched="stop")
    store(DAYS[1], "AAA", -1 / 3, model_id="m2")
    store(DAYS[1], "BBB", None, model_id="m2")
    store(DAYS[1], "AAA", 5.0, strategy="value", model_id="m2")


def expected_mean(column: str, strategy: str) -> float:
    """By SQL and `fsum`: the newest versions, averaged by session."""
    sql = f"""
        SELECT array_agg({column}) FROM pick_outcomes o WHERE strategy = %s AND {column} IS NOT NULL
        AND version = (SELECT max(version) FROM pick_outcomes WHERE (date, strategy, symbol) =
            (o.date, o.strategy, o.symbol)) GROUP BY date
    """
    with connection.cursor() as cursor:
        cursor.execute(sql, [strategy])
        days = [math.fsum(values) / len(values) for (values,) in cursor.fetchall()]
    return math.fsum(days) / len(days)


def test_the_api_answers_with_the_stored_figures_rounded(stored: None, client: Client) -> None:
    lists = client.get("/api/scoreboard/").json()["lists"]
    growth, value = (next(body for body in lists if body["strategy"] == name) for name in ("growth", "value"))
    for body in (growth, value):
        for column in ("return_pct", "excess_pct", "net_excess_pct"):
            assert body["figures"][f"mean_{column}"] == rounded(expected_mean(column, body["strategy"]), PERCENT)
    figures = growth["figures"]
    assert (figures["outcomes"], figures["sold"], figures["not_bought"], figures["days"]) == (5, 4, 1, 2)
    assert (figures["target_first"], figures["stop_first"], figures["stop_first_share"]) == (3, 1, 0.25)
    assert [(model["model_id"], model["figures"]["outcomes"]) for model in growth["models"]] == [("m2", 2), ("m1", 3)]
    first, second = growth["curve"]
    mean = math.fsum([0.1, 0.2, 0.3]) / 3
    assert first["net_excess_pct"] == rounded(mean, PERCENT)
    assert second["cumulative_pct"] == rounded(mean / 10 + (-1 / 3) / 10, PERCENT)


def test_one_list_can_be_asked_for_and_a_wrong_one_is_refused(stored: None, client: Client) -> None:
    [body] = client.get("/api/scoreboard/", {"strategy": "value"}).json()["lists"]
    assert body["strategy"] == "value"
    for query in ("strategy=lottery", "strategy=value&strategy=growth"):
        assert client.get(f"/api/scoreboard/?{query}").status_code == 400


def test_a_reader_must_log_in_where_reading_needs_it(client: Client, settings: Any) -> None:
    settings.READING_NEEDS_LOGIN = True
    assert client.get("/api/scoreboard/").status_code == 401


def test_the_page_shows_the_same_figures(stored: None, client: Client) -> None:
    page = client.get("/scoreboard/").content.decode()
    growth = next(row for row in re.findall(r"<tr>.*?</tr>", page, re.DOTALL) if 'href="#growth"' in row)
    mean = expected_mean("net_excess_pct", "growth")
    assert f"{'−' if mean < 0 else '+'}{abs(mean):.2f} %" in growth
    assert "75 %" in growth
    assert "2 lists from 2026-04-06" in page
    publish("growth", [pick("AAA")], session=DAYS[2])
    assert "5 judged" in client.get("/picks/?strategy=growth").content.decode()


def test_without_any_outcome_the_pages_show_none(client: Client) -> None:
    assert "No pick has been judged yet" in client.get("/scoreboard/").content.decode()
    assert client.get("/api/scoreboard/").json()["lists"][0]["figures"]["mean_net_excess_pct"] is None


def test_a_new_outcome_is_visible_at_once_and_old_ones_are_not_read_again(stored: None) -> None:
    assert queries.scoreboard()["growth"].figures.outcomes == 5
    with CaptureQueriesContext(connection) as captured:
        queries.scoreboard()
    assert len(captured) == 1
    store(DAYS[2], "AAA", 1.0)
    assert queries.scoreboard()["growth"].figures.outcomes == 6


def test_what_waits_is_what_is_in_force_and_not_judged(stored: None) -> None:
    publish("growth", [pick("AAA"), pick("BBB"), pick("CCC"), pick("DDD")], session=DAYS[0])
    supersede(publish("growth", [pick("AAA")], session=DAYS[2]))
    publish("growth", [pick("AAA"), pick("BBB")], session=DAYS[2], version=2)
    publish("value", [], session=DAYS[2])
    waiting = queries.waiting()
    assert (waiting["growth"], waiting["value"], waiting["momentum"]) == (3, 0, 0)


def test_the_admin_shows_outcomes_and_changes_none(stored: None, admin_client: Client) -> None:
    assert "CCC" in admin_client.get("/admin/ml/pickoutcome/").content.decode()
    key = PickOutcome.objects.latest("pk").pk
    assert admin_client.post(f"/admin/ml/pickoutcome/{key}/delete/").status_code == 403
