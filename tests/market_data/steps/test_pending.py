"""Pending work: merging, and its form in a run's options."""

import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market_data.models import PipelineRun
from market_data.steps.pending import PendingWork, add_pending_work, pending_work, take_over_pending_work

days = st.dates(date(2020, 1, 1), date(2020, 1, 20))
symbols = st.sampled_from(["AAA", "BBB", "CCC", "M&M"])
dated_symbols = st.dictionaries(symbols, days)
works = st.builds(
    PendingWork,
    loaded=st.frozensets(days),
    judge_from=st.none() | days,
    recompute=dated_symbols,
    events_changed=dated_symbols,
    renamed=st.frozensets(symbols),
)


@given(works, works, works)
def test_merge_is_associative(first, second, third):
    assert first.merge(second).merge(third) == first.merge(second.merge(third))


@given(works, works)
def test_merge_ignores_order_and_repetition(first, second):
    assert first.merge(second) == second.merge(first)
    assert first.merge(second).merge(second) == first.merge(second)


@given(works)
def test_no_work_is_the_identity(work):
    assert work.merge(PendingWork()) == PendingWork().merge(work) == work


@given(works)
def test_json_round_trips(work):
    assert PendingWork.from_json(json.loads(json.dumps(work.to_json()))) == work


def test_merge_keeps_the_earlier_date():
    first = PendingWork(judge_from=date(2020, 1, 3), recompute={"AAA": date(2020, 1, 2)})
    second = PendingWork(judge_from=date(2020, 1, 1), recompute={"AAA": date(2020, 1, 5), "BBB": date(2020, 1, 6)})
    merged = first.merge(second)
    assert merged.judge_from == date(2020, 1, 1)
    assert merged.recompute == {"AAA": date(2020, 1, 2), "BBB": date(2020, 1, 6)}


def test_stored_spelling():
    options = {
        "loaded": ["2020-01-01", "2020-01-02"],
        "judge_from": "2020-01-01",
        "recompute": {"AAA": "2020-01-02"},
        "events_changed": {"BBB": "2020-01-03"},
        "renamed": ["AAA"],
    }
    work = PendingWork.from_json(options)
    assert work.loaded == {date(2020, 1, 1), date(2020, 1, 2)}
    assert work.to_json() == options
    assert PendingWork.from_json({}) == PendingWork.from_json({"judge_from": None, "to": "/backups"}) == PendingWork()


def test_other_options_stay_untouched():
    run = PipelineRun(options={"to": "/backups", "renamed": ["AAA"]})
    add_pending_work(run, PendingWork(renamed=frozenset({"BBB"})), PendingWork(loaded=frozenset({date(2020, 1, 1)})))
    assert run.options["to"] == "/backups"
    assert pending_work(run) == PendingWork(renamed=frozenset({"AAA", "BBB"}), loaded=frozenset({date(2020, 1, 1)}))


@pytest.mark.django_db
def test_work_of_runs_since_the_last_complete_pipeline_is_taken_over():
    def make(sequence: int, job: str, status: str, symbol: str, *, is_replay: bool = False) -> PipelineRun:
        return PipelineRun.objects.create(
            id=f"{job}_{sequence}",
            sequence=sequence,
            job=job,
            status=status,
            provider="simulator",
            provider_kind="simulated",
            triggered_by="test",
            started_at=datetime(2020, 1, 1, tzinfo=UTC),
            is_replay=is_replay,
            options=PendingWork(renamed=frozenset({symbol})).to_json(),
        )

    make(1, "pipeline", "failed", "BEFORE")
    make(2, "pipeline", "completed", "COMPLETE")
    make(3, "symbol_master", "completed", "LISTED")
    make(4, "pipeline", "rolled_back", "UNDONE")
    make(5, "fill_data", "failed", "OTHER")
    make(6, "pipeline", "failed", "REPLAYED", is_replay=True)
    make(7, "pipeline", "cancelled", "BROKEN")
    run = make(8, "pipeline", "running", "OWN")
    make(9, "pipeline", "failed", "LATER")
    take_over_pending_work(run)
    assert pending_work(run).renamed == {"LISTED", "BROKEN", "OWN"}
