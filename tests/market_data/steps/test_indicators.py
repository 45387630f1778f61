"""Chunks of the indicators. Their labels are stored as watermarks of unfinished runs: a release must keep them."""

from datetime import date, timedelta
from typing import Any

import pytest

from market_data.models import PipelineRun, PipelineStep, SourceFile
from market_data.prices.indicators import WARM_UP_ROWS
from market_data.runs.saga import StepContext
from market_data.steps import indicators
from market_data.steps.pending import PendingWork
from stocks.models import Stock

pytestmark = pytest.mark.django_db

DAYS = [date(2026, 4, 1) + timedelta(days=number) for number in range(10)]


@pytest.fixture(autouse=True)
def market() -> None:
    for symbol in ("AAA", "BBB", "CCC"):
        Stock.objects.create(symbol=symbol, first_seen=DAYS[0], last_seen=DAYS[-1])
    facts: dict[str, Any] = {"size": 1, "mtime_ns": 1, "sha256": "0" * 64, "rows": 1, "rejected": 0}
    for day in DAYS:
        SourceFile.objects.create(session=day, name="bhav.csv", **facts)


def labels(**work: Any) -> list[str]:
    run = PipelineRun(session=DAYS[-1], options=PendingWork(**work).to_json())
    context = StepContext(run, PipelineStep(name="TECHNICAL_INDICATORS"), None)
    return [chunk.label for chunk in indicators.indicator_chunks(context)]


def test_an_evening_is_one_chunk_named_by_its_sessions() -> None:
    assert labels(loaded=frozenset(DAYS[-1:])) == ["2026-04-10..2026-04-10"]
    assert labels(loaded=frozenset(DAYS[:5])) == ["2026-04-01..2026-04-05"]


def test_a_long_load_goes_by_groups_of_symbols(monkeypatch: pytest.MonkeyPatch) -> None:
    assert labels(loaded=frozenset(DAYS)) == ["AAA..CCC"]
    monkeypatch.setattr(indicators, "ROWS_AT_ONCE", 2 * (len(DAYS) + WARM_UP_ROWS))
    assert labels(loaded=frozenset(DAYS)) == ["AAA..BBB", "CCC..CCC"]


def test_symbols_to_recompute_come_last() -> None:
    recompute = {"CCC": DAYS[3], "AAA": DAYS[2]}
    assert labels(recompute=recompute) == ["again AAA..CCC"]
    assert labels(loaded=frozenset(DAYS[-1:]), recompute=recompute) == ["2026-04-10..2026-04-10", "again AAA..CCC"]


def test_without_pending_work_there_is_nothing_to_do() -> None:
    assert labels() == []
