"""A fortnight of evenings, with everything that can happen in it, leaves what one full load leaves, to 1e-9.

Each incident has shares of its own, so that what one evening spoils is still to be seen on the last one.
"""

from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
from django.db import transaction

from market_data.providers.simulator import Incident, Simulator
from stocks.models import SymbolChange
from tests.end_to_end import evenings
from tests.end_to_end.evenings import BASE, SESSIONS, assert_same

pytestmark = pytest.mark.django_db
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
    found, wanted = outcome.by_evenings[table], outcome.at_once[table]
    if table == "corporate_actions":
        # What was inferred until the list told it stays on record; a full load never had to infer it.
        late = found.loc[found["status"] == "confirmed"]
        assert late.index.get_level_values("symbol").tolist() == [outcome.market.market.symbol[LATE_SPLIT]]
        found = found.drop(index=late.index)
    if table == "stocks":
        # The simulator's index list forgets renamed companies; what an evening learnt before is kept.
        renamed = [new for _, new in outcome.renames if new in wanted.index]
        assert found.loc[renamed, "sector"].notna().any()
        found, wanted = (frame.assign(sector=frame["sector"].drop(renamed)) for frame in (found, wanted))
    assert_same({table: found}, {table: wanted})


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
