"""Session after session on the tables: the lists name what is new, kept and gone, against the list before."""

from datetime import date
from typing import Any

import pandas as pd
import pytest

from market_data.models import DailyBar, Finding, MarketDay, PipelineRun, PipelineStep
from market_data.runs.saga import StepContext
from ml import sagas
from ml.learning.prediction import PREDICTION_COLUMNS
from ml.sagas import Predictions, ranked_picks
from stocks.models import Publication, Stock, StockMetrics

pytestmark = pytest.mark.django_db
DAYS = [date(2026, 4, 27), date(2026, 4, 28), date(2026, 4, 29), date(2026, 4, 30)]
SHARES = [f"S{number:02}" for number in range(60)]


@pytest.fixture(autouse=True)
def market() -> None:
    MarketDay.objects.bulk_create(MarketDay(date=day, kind="normal", is_session=True, source="t") for day in DAYS)
    Stock.objects.bulk_create(Stock(symbol=symbol, stock_name=f"{symbol} Limited", kind="share") for symbol in SHARES)
    for day in DAYS:
        facts: dict[str, Any] = {"date": day, "current_price": 100.0, "tradable": True, "turnover_median_20": 2000.0}
        StockMetrics.objects.bulk_create(StockMetrics(symbol_id=symbol, **facts) for symbol in SHARES)
        prices: dict[str, Any] = dict.fromkeys(("open", "high", "low", "close"), 100)
        DailyBar.objects.create(symbol_id="S00", date=day, volume=1, series="EQ", source="t", **prices)


def publish(session: date, order: list[str]) -> Publication:
    """Rank by a model that prefers the shares in this order, and publish; return the model's own list."""
    rows = [
        {"symbol": symbol, "ml_prediction_score": 1 - place / 100, "ml_confidence": 0.8, "ml_risk_score": 0.2}
        for place, symbol in enumerate(order)
    ]
    frame = pd.DataFrame(rows).assign(date=session, predicted_return=0.01, predicted_drawdown=-0.04)
    frame = frame.reindex(columns=list(PREDICTION_COLUMNS))
    memo = {"predictions": Predictions(frame, "m", None)}
    run = PipelineRun(id=f"selection_{session:%Y%m%d}", job="selection", session=session)
    context = StepContext(run, PipelineStep(name="PUBLISH"), None, memo=memo)
    sagas.publish(context, ranked_picks(context))
    return Publication.objects.get(date=session, strategy="model", superseded_at=None)


def standings(publication: Publication) -> dict[str, tuple[str | None, date | None]]:
    rows = publication.picks_in_force.values_list("symbol", "standing", "listed_since")
    return {symbol: (standing, since) for symbol, standing, since in rows}


def test_each_list_is_compared_with_the_one_before(settings: Any) -> None:
    settings.PICKS_KEEP_RANK = 55
    first = publish(DAYS[0], SHARES)
    assert first.previous is None
    assert standings(first) == dict.fromkeys(SHARES[:50], ("new", DAYS[0]))
    # One falls out of the band of 55, one to its last place; a finding, a series and a missing prediction take three.
    Finding.objects.create(
        run_id="r", session=DAYS[1], symbol="S10", check_name="unit_error", severity="error", message="m", blocks=True
    )
    StockMetrics.objects.filter(date=DAYS[1], symbol__symbol="S11").update(tradable=False, exclusion="series BE")
    StockMetrics.objects.filter(date=DAYS[1], symbol__symbol="S13").delete()
    order = [symbol for symbol in SHARES if symbol not in ("S01", "S02", "S10", "S11", "S12", "S13")]
    second = publish(DAYS[1], [*order, "S01", "S02", "S10", "S11", "S13"])
    assert second.previous == first
    assert {row["symbol"]: (row["last_rank"], row["place"], row["reason"]) for row in second.departures} == {
        "S02": (3, 56, "fell to place 56; a share stays down to place 55"),
        "S10": (11, None, "kept out: one of its figures failed a check"),
        "S11": (12, None, "not tradable: series BE"),
        "S12": (13, None, "the model has no prediction of it"),
        "S13": (14, None, "did not trade"),
    }
    marks = standings(second)
    assert len(marks) == 50
    assert marks["S01"] == ("kept", DAYS[0])
    assert {symbol for symbol, (standing, _) in marks.items() if standing == "new"} == set(SHARES[50:55])


def test_a_session_without_lists_breaks_no_stay() -> None:
    first = publish(DAYS[0], SHARES)
    Finding.objects.create(
        run_id="r", session=DAYS[1], check_name="bar_count", severity="error", message="3 bars", blocks=True
    )
    abstained = publish(DAYS[1], SHARES)
    assert (abstained.abstention, abstained.previous, abstained.departures) == ("data", None, [])
    third = publish(DAYS[2], SHARES[1:] + SHARES[:1])
    assert third.previous == first
    assert standings(third)["S01"] == ("kept", DAYS[0])
    assert third.picks_in_force.get(symbol="S00").place == 60


def test_a_share_that_returns_begins_another_stay(settings: Any) -> None:
    settings.PICKS_KEEP_RANK = 50
    publish(DAYS[0], SHARES)
    second = publish(DAYS[1], SHARES[1:] + SHARES[:1])
    # The same session made again is compared with the same list.
    for version in (1, 2):
        third = publish(DAYS[2], SHARES)
        assert (third.version, third.previous) == (version, second)
        assert standings(third)["S00"] == ("new", DAYS[2])
        assert [row["symbol"] for row in third.departures] == ["S50"]
