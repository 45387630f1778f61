"""Evenings: incremental, rolled back, interrupted, and blind to what comes later.

A fortnight of evenings, with everything that can happen in it, leaves what one full load leaves, to 1e-9.
Each incident has shares of its own, so that what one evening spoils is still to be seen on the last one.
"""

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
from django.db import connection, transaction

from market_data.models import CorporateAction, DailyBar, PipelineRun, TableTotal, TechnicalIndicator
from market_data.prices.indicators import indicators
from market_data.providers.simulator import Incident, Simulator
from market_data.runs.engine import advance
from market_data.runs.lifecycle import retry_failed
from market_data.runs.rollback import planned_rollback, roll_back
from market_data.runs.saga import SagaError
from market_data.steps.metrics import session_frame
from market_data.storage import queries
from ml.datasets import session_samples, training_samples
from ml.learning.estimators import estimator
from stocks.models import Publication, SymbolChange
from tests.end_to_end import evenings
from tests.end_to_end.evenings import BASE, SESSIONS, assert_same
from tests.stocks.fundamentals_folder import income, write_income

pytestmark = [pytest.mark.long, pytest.mark.django_db]
Tables = dict[str, pd.DataFrame]


def day(number: int) -> Any:
    """A session, counted from the first evening after the base market."""
    return SESSIONS[BASE + number]


SPLIT, LATE_SPLIT, INFERRED, RENAMED, RENAMED_AND_SPLIT, IN_MISSING_DAY = 1, 2, 4, 6, 8, 9
REVISED, REVISED_BEFORE_RENAME, BACK_FROM_BE, DIVIDEND = 11, RENAMED, 33, 12
LAST = 13
INCIDENTS = (
    Incident("split", day(1), SPLIT, ratio=(10, 2)),
    Incident("split", day(2), LATE_SPLIT, ratio=(10, 1)),
    Incident("bonus", day(2), RENAMED_AND_SPLIT, ratio=(1, 1)),
    Incident("rename", day(4), RENAMED),
    Incident("rename", day(5), RENAMED_AND_SPLIT),
    Incident("dividend", day(5), DIVIDEND),
    Incident("split", day(7), INFERRED, ratio=(10, 1)),
    Incident("split", day(9), IN_MISSING_DAY, ratio=(10, 2)),
)
CORRECTED = (
    Incident("revision", day(-3), REVISED),
    Incident("revision", day(1), SPLIT),
    Incident("revision", day(2), REVISED_BEFORE_RENAME),
)


class Evenings:
    """Runs the evenings one after the other on one archive."""

    def __init__(self, archive: Path) -> None:
        self.archive = archive
        self.market: Simulator = evenings.simulator(*INCIDENTS)

    def publish(self, *numbers: int, late_split_known: bool) -> None:
        """Put files into the archive; official events end with the dividend, and one of them comes late."""
        evenings.publish(self.market, self.archive, *map(day, numbers))
        hidden = () if late_split_known else (self.market.market.symbol[LATE_SPLIT],)
        evenings.actions_end(self.archive, day(5), without=hidden)

    def all(self) -> None:
        for number in range(6):
            self.publish(number, late_split_known=number >= 5)
            evenings.evening(day(number))
        self._corrections()
        for number in (6, 7):
            self.publish(number, late_split_known=True)
            evenings.evening(day(number))
        self.publish(8, 10, late_split_known=True)
        evenings.evening(day(8))
        evenings.evening(day(10))
        self.publish(9, 11, late_split_known=True)
        evenings.evening(day(11))
        self.publish(12, 13, late_split_known=True)
        evenings.evening(day(13))

    def _corrections(self) -> None:
        corrected = evenings.simulator(*INCIDENTS, *CORRECTED)
        evenings.publish(corrected, self.archive, day(-3), day(1), day(2), lists=False)


class Outcome(NamedTuple):
    by_evenings: Tables
    at_once: Tables
    again: Tables
    market: Simulator
    renames: set[tuple[str, str]]


@pytest.fixture(scope="module")
def outcome(
    base_database: None, base_archive: Path, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any
) -> Outcome:
    folder = evenings.linked(base_archive, tmp_path_factory.mktemp("evenings"))
    evenings.actions_end(folder, day(5))
    with django_db_blocker.unblock(), evenings.reading_archive(folder, folder / "out"), transaction.atomic():
        made = Evenings(folder)
        made.all()
        by_evenings = evenings.of_session(day(LAST))
        renames = set(SymbolChange.objects.values_list("from_symbol", "to_symbol"))
        evenings.evening(day(LAST))
        again = evenings.of_session(day(LAST))
        at_once = evenings.full_load(day(LAST))
        transaction.set_rollback(True)
    return Outcome(by_evenings, at_once, again, made.market, renames)


@pytest.mark.parametrize("table", evenings.KEYS)
def test_evening_after_evening_equals_one_full_load(outcome: Outcome, table: str) -> None:
    actual, wanted = outcome.by_evenings[table], outcome.at_once[table]
    if table == "corporate_actions":
        # What was inferred until the list told it stays on record; a full load never had to infer it.
        late = actual.loc[actual["status"] == "confirmed"]
        assert late.index.get_level_values("symbol").tolist() == [outcome.market.market.symbol[LATE_SPLIT]]
        actual = actual.drop(index=late.index)
    if table == "stocks":
        # The simulator's index list forgets renamed companies; what an evening learnt before is kept.
        renamed = [new for _, new in outcome.renames if new in wanted.index]
        assert actual.loc[renamed, "sector"].notna().any()
        actual, wanted = (frame.assign(sector=frame["sector"].drop(renamed)) for frame in (actual, wanted))
    assert_same({table: actual}, {table: wanted})


def test_everything_that_was_planned_has_happened(outcome: Outcome) -> None:
    """The comparison proves something only if the incidents are in it."""
    symbols = outcome.market.symbols_at(BASE + LAST)
    events = outcome.by_evenings["corporate_actions"].reset_index()
    events = events.loc[events["factor"].notna()].set_index("symbol")
    for place, status in (
        (SPLIT, "official"),
        (INFERRED, "inferred"),
        (IN_MISSING_DAY, "inferred"),
        (RENAMED_AND_SPLIT, "official"),
    ):
        assert events.loc[[symbols[place]], "status"].tolist() == [status]
    assert {outcome.market.market.symbol[place] for place in (RENAMED, RENAMED_AND_SPLIT)} <= {
        old for old, _ in outcome.renames
    }
    bars = outcome.by_evenings["historical_data"]
    days = bars.loc[symbols[BACK_FROM_BE]].index
    assert day(LAST) in days
    assert day(0) not in days
    assert (bars.loc[symbols[SPLIT], "adj_close"] != bars.loc[symbols[SPLIT], "close"]).any()
    assert not set(outcome.by_evenings["stocks"].index) & {old for old, _ in outcome.renames}


@pytest.mark.parametrize("table", evenings.KEYS)
def test_the_same_evening_again_changes_nothing(outcome: Outcome, table: str) -> None:
    pd.testing.assert_frame_equal(outcome.again[table], outcome.by_evenings[table])


# --- roll back ------------------------------------------------------------------------------------------------------
BUSY = (Incident("split", day(0), SPLIT, ratio=(10, 2)), Incident("rename", day(0), RENAMED))


@pytest.fixture
def busy_evening(archive: Path) -> Path:
    """Files of an evening with a split, a rename and a file published anew."""
    evenings.publish(evenings.simulator(*BUSY), archive, day(0))
    evenings.publish(evenings.simulator(*BUSY, *CORRECTED[:1]), archive, day(-3), lists=False)
    return archive


def test_a_rolled_back_evening_leaves_every_table_as_it_was(busy_evening: Path) -> None:
    before = evenings.fingerprint()
    runs = [evenings.evening(day(0), job) for job in ("pipeline", "fill_data", "business_logic")]
    changed = evenings.fingerprint()
    assert {name for name in before if before[name] != changed[name]} >= set(evenings.KEYS)
    with pytest.raises(SagaError, match=runs[1].id):
        roll_back(runs[0].id, "test")
    for run in reversed(runs):
        roll_back(run.id, "test")
    assert evenings.fingerprint() == before
    connection.check_constraints()


def test_after_a_roll_back_the_evening_can_be_done_again(busy_evening: Path) -> None:
    first = evenings.evening(day(0))
    done = evenings.contract_fingerprint()
    roll_back(first.id, "test")
    evenings.evening(day(0))
    assert evenings.contract_fingerprint() == done


def test_a_rolled_back_first_load_leaves_empty_tables(archive: Path) -> None:
    roll_back(PipelineRun.objects.get(job="pipeline").id, "test")
    assert {table: len(frame) for table, frame in evenings.stored().items()} == dict.fromkeys(evenings.KEYS, 0)
    assert set(evenings.fingerprint().values()) == {hashlib.md5(b"").hexdigest()}
    assert not TableTotal.objects.exists()


def test_a_week_with_everything_in_it_goes_back_run_by_run(archive: Path, tmp_path: Path) -> None:
    """A split inferred and then told by the list, a rename, a revised file, an import: each roll back is exact."""
    events = (Incident("split", day(0), INFERRED, ratio=(10, 1)), Incident("rename", day(1), RENAMED))
    market = evenings.simulator(*events)
    symbol = market.market.symbol[INFERRED]
    split = CorporateAction.objects.filter(symbol=symbol, ex_date=day(0))
    write_income(tmp_path, income(symbol, "Dec-22", 200, 150, 55, 30, 28, 2.8))
    evenings.publish(market, archive, day(0))
    evenings.actions_end(archive, day(-1))
    states: list[dict[str, str]] = []
    done: list[PipelineRun] = []

    def evening(session: Any, *jobs: str, **options: object) -> None:
        for job in jobs:
            states.append(_restorable())
            done.append(evenings.run(job, session, **options))
            assert done[-1].status == "completed", done[-1].reason

    evening(None, "import_fundamentals", folder=str(tmp_path))
    evening(day(0), "pipeline", "validation", "selection")
    assert list(split.values_list("status", flat=True)) == ["inferred"]
    evenings.publish(market, archive, day(1))
    evening(None, "symbol_master")
    evenings.publish(evenings.simulator(*events, *CORRECTED[:1]), archive, day(-3), lists=False)
    evening(day(1), "pipeline", "selection")
    assert SymbolChange.objects.exists()
    assert "official" in split.values_list("status", flat=True)
    for run, before in zip(reversed(done), reversed(states), strict=True):
        planned = planned_rollback(run.id)
        assert roll_back(run.id, "test") == planned
        assert _restorable() == before, run.id
    connection.check_constraints()


def _restorable() -> dict[str, str]:
    """What a roll back brings back to the last bit; of publications those in force, for versions are never deleted."""
    in_force = Publication.objects.filter(superseded_at=None).order_by("pk").values_list("pk", "run_id", "count")
    tables = (table for table in evenings.STATE if table != "publications")
    return evenings.fingerprint(*tables) | {"publications": repr(list(in_force))}


# --- interrupted ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("step", ["HISTORICAL_DATA", "TECHNICAL_INDICATORS", "COMPREHENSIVE_METRICS"])
def test_an_evening_that_broke_and_was_retried_equals_one_that_did_not(busy_evening: Path, step: str) -> None:
    with transaction.atomic():
        evenings.evening(day(0))
        wanted = evenings.contract_fingerprint()
        transaction.set_rollback(True)
    broken = evenings.broken_before(step, day(0))
    retried, names = retry_failed(broken.id, "test")
    assert names == [step]
    assert advance(retried.id, wait=True).status == "completed"
    assert evenings.contract_fingerprint() == wanted


def test_what_a_broken_evening_left_undone_the_next_one_does(busy_evening: Path) -> None:
    market = evenings.simulator(*BUSY)
    evenings.broken_before("TECHNICAL_INDICATORS", day(0))
    evenings.publish(market, busy_evening, day(1))
    evenings.evening(day(1))
    computed = TechnicalIndicator.objects.filter(date=day(0)).count()
    assert computed == DailyBar.objects.filter(date=day(0)).count()
    symbol = market.market.symbol[REVISED]
    actual = queries.indicators_between(day(-3), day(1)).query("symbol == @symbol").reset_index(drop=True)
    whole = indicators(queries.adjusted_bars(day(1), symbols=[symbol])).query("date >= @actual.date.min()")
    pd.testing.assert_frame_equal(actual, whole.reset_index(drop=True), rtol=1e-9, check_dtype=False)


# --- no look-ahead --------------------------------------------------------------------------------------------------
def _said_of(session: Any) -> dict[str, Any]:
    """Everything that is said of a session, computed from the tables as they are now."""
    return {
        "features": session_samples(session, estimator("lightgbm")).fingerprint,
        "contract features": session_samples(session, estimator("random_forest")).fingerprint,
        "samples": training_samples(session, estimator("lightgbm")).fingerprint,
        "indicators": queries.indicator_frame(session),
        "metrics": session_frame(session).drop(columns="provenance"),
        "adjusted": queries.adjusted_bars(session, session - timedelta(days=100)),
    }


def test_nothing_that_comes_later_changes_what_is_said_of_a_day(archive: Path) -> None:
    days = (day(-1), day(-7), day(-40))
    before = {session: _said_of(session) for session in days}
    future = evenings.simulator(
        *BUSY[:1],
        Incident("split", day(1), INFERRED, ratio=(10, 1)),
        Incident("bonus", day(2), REVISED, ratio=(1, 1)),
        Incident("suspension", day(0), DIVIDEND, length=9),
    )
    evenings.publish(future, archive, *(day(number) for number in range(4)))
    evenings.actions_end(archive, day(0))
    for number in range(4):
        evenings.garble(evenings.file_of(archive, day(number)), number)
    evenings.evening(day(3))
    assert queries.latest_session() == day(3)
    for session in days:
        after = _said_of(session)
        for name, value in before[session].items():
            if isinstance(value, str):
                assert after[name] == value, f"{name} of {session}"
            else:
                pd.testing.assert_frame_equal(after[name], value, obj=f"{name} of {session}")


# --- replay ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("job", ["pipeline", "fill_data", "business_logic", "validation"])
def test_a_run_for_an_older_session_writes_nothing(archive: Path, job: str) -> None:
    before = evenings.fingerprint()
    done = evenings.evening(day(-5), job)
    assert done.is_replay
    assert done.summary
    assert evenings.fingerprint() == before
