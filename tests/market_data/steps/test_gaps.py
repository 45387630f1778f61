"""Gaps filled from a broker's history: provisional, where no event lies between them and today."""

from datetime import UTC, date, datetime
from typing import Any

import pandas as pd
import pytest

from market_data.models import CorporateAction, DailyBar, MarketDay, PipelineRun, PipelineStep, RejectedRow
from market_data.providers import RawHistory
from market_data.runs.saga import StepContext, StepFailed
from market_data.steps import gaps
from stocks.models import Stock

pytestmark = pytest.mark.django_db

DAYS = [date(2026, 4, day) for day in (6, 7, 8, 9, 10)]
NOW = datetime(2026, 4, 30, 15, tzinfo=UTC)


class Broker:
    """A provider whose history a test writes."""

    name = "zerodha"

    def __init__(self) -> None:
        self.closes = dict(zip(DAYS, (100.0, 101.0, 102.0, 103.0, 104.0), strict=True))
        self.adjusted = "vendor"
        self.spans: list[tuple[date, date]] = []

    def history(self, symbol: str, first: date, last: date, now: datetime) -> RawHistory:
        self.spans.append((first, last))
        rows = [(day, price, price + 1, price - 1, price, 10) for day, price in self.closes.items()]
        frame = pd.DataFrame(rows, columns=["date", "open", "high", "low", "close", "volume"])
        return RawHistory(frame.astype({"date": "datetime64[ns]"}), self.adjusted)


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    broker = Broker()
    monkeypatch.setattr(gaps, "provider", lambda _: broker)
    return broker


@pytest.fixture(autouse=True)
def market() -> None:
    """A share with bars on the first, second and last of five sessions."""
    Stock.objects.create(symbol="AAA", first_seen=DAYS[0], last_seen=DAYS[-1])
    for day in DAYS:
        MarketDay.objects.create(date=day, kind="normal", is_session=True, source="test")
    for day in (DAYS[0], DAYS[1], DAYS[4]):
        price = 100.0 + DAYS.index(day)
        DailyBar.objects.create(
            symbol_id="AAA", date=day, series="BE", open=price, high=price, low=price, close=price, volume=1, source="t"
        )


def fill(*symbols: str) -> PipelineRun:
    options = {"symbols": list(symbols or ("AAA",)), "first": str(DAYS[0]), "last": str(DAYS[-1])}
    run = PipelineRun(id="fill_gaps_1", options=options, created_at=NOW, provider="zerodha")
    context: Any = StepContext(run, PipelineStep(name="FILL_GAPS"), None, attempted_at=NOW)
    context.log = lambda *_, **__: None
    gaps.record_gaps(context, gaps.read_gaps(context))
    return run


def filled() -> list[tuple[Any, ...]]:
    rows = DailyBar.objects.filter(status="provisional").order_by("date")
    return list(rows.values_list("date", "series", "close", "adj_close", "source"))


def test_a_gap_gets_provisional_bars_that_name_how_they_are_adjusted(broker: Broker):
    run = fill()
    source = "zerodha:history (vendor)"
    assert filled() == [(DAYS[2], "BE", 102.0, 102.0, source), (DAYS[3], "BE", 103.0, 103.0, source)]
    assert DailyBar.objects.filter(status="final").count() == 3
    assert broker.spans == [(DAYS[1], DAYS[4])]
    assert run.summary["bars"] == 2
    fill()
    assert len(broker.spans) == 1  # nothing is missing any more


def test_a_day_that_the_broker_does_not_have_stays_a_gap(broker: Broker):
    del broker.closes[DAYS[2]]
    run = fill()
    assert [row[0] for row in filled()] == [DAYS[3]]
    assert run.summary["still_without"] == {"AAA": 1}


@pytest.mark.parametrize("kind", ["split", "dividend"])
def test_a_gap_before_an_event_is_refused(broker: Broker, kind: str):
    event = {"kind": kind, "factor": None, "known_on": DAYS[4], "status": "official", "source": "t"}
    CorporateAction.objects.create(symbol="AAA", ex_date=DAYS[4], **event)
    with pytest.raises(StepFailed, match=f"{kind} of 2026-04-10"):
        fill()
    assert filled() == []
    broker.adjusted = "raw"  # what is not adjusted is not changed by it
    fill()
    assert len(filled()) == 2


@pytest.mark.parametrize("adjusted", ["vendor", "unknown"])
def test_a_history_that_contradicts_the_bars_beside_the_gap_is_refused(broker: Broker, adjusted: str):
    broker.adjusted = adjusted
    broker.closes = {day: price / 2 for day, price in broker.closes.items()}
    with pytest.raises(StepFailed, match=r"is 50\.5, the exchange.s 101"):
        fill()
    assert filled() == []


def test_a_price_that_is_none_is_set_aside(broker: Broker):
    broker.closes[DAYS[2]] = -1.0
    fill()
    assert [row[0] for row in filled()] == [DAYS[3]]
    assert RejectedRow.objects.get().reason == "price is zero or negative"


def test_a_share_without_any_bar_has_no_gap(broker: Broker):
    with pytest.raises(StepFailed, match="NOSUCH has no bar"):
        fill("NOSUCH")


def test_a_provider_without_history_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gaps, "provider", lambda _: type("Simulator", (), {"name": "simulator"})())
    with pytest.raises(StepFailed, match="simulator has no history"):
        fill()
