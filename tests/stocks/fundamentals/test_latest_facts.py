"""The few facts that a day needs give the same figures as all facts."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from market_data.prices.events import empty_events
from stocks.fundamentals import latest_facts
from stocks.fundamentals import writer as fundamentals_writer
from stocks.fundamentals.formulas import ALL_COLUMNS, dated_fundamentals
from stocks.storage import bulk
from stocks.universe import writer as universe_writer

pytestmark = pytest.mark.django_db

SYMBOLS = [f"S{number}" for number in range(14)]
FIRST, LAST = date(2019, 1, 1), date(2026, 4, 30)
RENAMES = (("S0", "S1", "2024-05-06"), ("S1", "S2", "2025-03-03"), ("S3", "S4", "2026-04-27"))


@pytest.fixture(params=[1, pytest.param(2, marks=pytest.mark.long), pytest.param(3, marks=pytest.mark.long)])
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    return np.random.default_rng(request.param)


def some_days(rng: np.random.Generator, count: int, first: date = FIRST) -> list[date]:
    return [first + timedelta(days=int(day)) for day in rng.integers(0, (LAST - first).days, count)]


def holed(rng: np.random.Generator, values: np.ndarray, chance: float = 0.3) -> np.ndarray:
    return np.where(rng.random(len(values)) < chance, np.nan, values)


def stored_statements(rng: np.random.Generator) -> None:
    """Quarters and years with holes, late ones, old companies that stopped publishing, counts of shares in some."""
    ends = pd.date_range("2019-03-31", "2026-03-31", freq="QE").date
    rows = [(symbol, end, kind) for symbol in SYMBOLS for end in ends for kind in ("quarter", "year")]
    rows = [row for row in rows if rng.random() < 0.75 and (row[2] == "quarter" or row[1].month == 3)]
    silent = dict(zip(SYMBOLS, some_days(rng, len(SYMBOLS)), strict=True))
    rows = [row for row in rows if row[0] in SYMBOLS[:6] or row[1] < silent[row[0]]]
    frame = pd.DataFrame(rows, columns=["symbol", "period_end", "kind"])
    late = rng.choice([20, 45, 60, 75, 400, 900], len(frame), p=[0.3, 0.3, 0.2, 0.1, 0.06, 0.04])
    frame["published_on"] = [
        end + timedelta(days=int(days)) for end, days in zip(frame["period_end"], late, strict=True)
    ]
    for column in ("revenue", "net_income", "operating_income", "total_assets", "equity", "current_assets",
                   "current_liabilities", "inventory", "debt"):  # fmt: skip
        frame[column] = holed(rng, rng.uniform(1, 1000, len(frame)))
    frame["shares"] = holed(rng, rng.uniform(1e6, 1e9, len(frame)), 0.7)
    frame["source"] = "test"
    fundamentals_writer.record_statements(frame.assign(published_assumed=False), "run_1")


def stored_snapshots(rng: np.random.Generator) -> None:
    rows = {(day, symbol) for symbol in SYMBOLS[2:10] for day in some_days(rng, 12, date(2024, 1, 1))}
    frame = pd.DataFrame(sorted(rows), columns=["snapshot", "symbol"]).reindex(
        columns=list(fundamentals_writer.SNAPSHOT_COLUMNS)
    )
    for column in fundamentals_writer.SNAPSHOT_COLUMNS[5:21]:
        frame[column] = holed(rng, rng.uniform(1, 500, len(frame)))
    frame["source"] = "test"
    fundamentals_writer.record_snapshots(frame, "run_1")


def stored_facts(rng: np.random.Generator) -> None:
    for day in sorted(set(some_days(rng, 25))):
        # A pack names a company once, under the symbol of its day.
        gone = {old for old, _, since in RENAMES if date.fromisoformat(since) <= day}
        coming = {new for _, new, since in RENAMES if date.fromisoformat(since) > day}
        chosen = rng.choice([name for name in SYMBOLS if name not in gone | coming], 8, replace=False)
        frame = pd.DataFrame({"symbol": chosen, "source": "pack"})
        frame["issue_size"] = holed(rng, rng.integers(10**6, 10**9, 8).astype(float))
        frame["market_cap_crores"] = holed(rng, rng.uniform(10, 10**5, 8))
        frame["pe_ratio"] = holed(rng, rng.uniform(3, 90, 8), 0.6)
        universe_writer.record_exchange_facts(frame, day, "run_1")


def figures(session: date, statements: pd.DataFrame, snapshots: pd.DataFrame, facts: pd.DataFrame) -> pd.DataFrame:
    keys = pd.DataFrame({"symbol": SYMBOLS, "date": pd.Timestamp(session), "close": 100.0})
    return dated_fundamentals(statements, snapshots, facts, keys, empty_events(), columns=ALL_COLUMNS, provenance=True)


def test_a_days_figures_equal_those_of_all_facts(rng):
    stored_statements(rng)
    stored_snapshots(rng)
    stored_facts(rng)
    changes = pd.DataFrame(RENAMES, columns=["from_symbol", "to_symbol", "date"])
    changes = changes.assign(date=pd.to_datetime(changes["date"]), proof="isin", evidence="{}")
    bulk.upsert("symbol_changes", changes, ("from_symbol", "date"), "run_1")
    known = 0
    for session in (date(2019, 6, 3), date(2021, 9, 1), date(2024, 5, 6), *some_days(rng, 4, date(2023, 1, 1)), LAST):
        every = figures(
            session,
            fundamentals_writer.statements_frame(session),
            fundamentals_writer.snapshots_frame(session),
            universe_writer.facts_frame(session),
        )
        few = figures(
            session,
            latest_facts.latest_statements(session),
            latest_facts.latest_snapshots(session),
            latest_facts.latest_facts(session),
        )
        pd.testing.assert_frame_equal(few, every)
        known += int(every[list(ALL_COLUMNS)].notna().sum().sum())
    assert known > 100, "there must be something to compare"


def test_without_facts_nothing_is_known():
    for reader in (latest_facts.latest_statements, latest_facts.latest_snapshots, latest_facts.latest_facts):
        assert reader(LAST).empty
