"""Renamed symbols in rows of sources."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from stocks.models import Stock
from stocks.storage import bulk
from stocks.universe.symbols import current_symbols, follow_renames, successors

pytestmark = pytest.mark.django_db


def renamed(*changes):
    frame = pd.DataFrame(changes, columns=["from_symbol", "to_symbol", "date"])
    frame = frame.assign(date=pd.to_datetime(frame["date"]), proof="isin", evidence="{}")
    bulk.upsert("symbol_changes", frame, ("from_symbol", "date"), "run_1")


def test_the_symbol_in_use_at_the_end_of_a_chain():
    renamed(("A", "B", "2026-01-05"), ("B", "C", "2026-02-02"))
    assert successors(date(2026, 1, 4)) == {}
    assert successors(date(2026, 1, 5)) == {"A": "B"}
    assert successors(date(2026, 2, 2)) == {"A": "C", "B": "C"}


def test_a_symbol_renamed_back_and_forth_is_itself():
    renamed(("A", "B", "2026-01-05"), ("B", "A", "2026-02-02"))
    assert successors(date(2026, 3, 1)) == {"B": "A"}


def test_a_symbol_that_another_company_uses_is_not_replaced():
    renamed(("A", "B", "2026-01-05"))
    Stock.objects.create(symbol="A")
    assert successors(date(2026, 3, 1)) == {}


def test_the_new_symbols_row_stays_where_both_have_one():
    renamed(("OLD", "NEW", "2026-01-05"))
    frame = pd.DataFrame({"symbol": ["NEW", "OLD", "OLD", "Z"], "day": [2, 1, 2, 1], "value": [20, 11, 12, 0]})
    result = current_symbols(frame, date(2026, 1, 5), key=("day",))
    assert result.to_dict("list") == {"symbol": ["NEW", "NEW", "Z"], "day": [1, 2, 1], "value": [11, 20, 0]}
    assert current_symbols(frame, date(2026, 1, 4), key=("day",))["symbol"].tolist() == ["NEW", "OLD", "OLD", "Z"]


def test_a_rename_without_matching_rows_adds_none():
    renamed(("OLD", "NEW", "2026-01-05"))
    frame = pd.DataFrame({"symbol": ["A", "Z"], "day": [2, 1]})
    assert current_symbols(frame, date(2026, 1, 5), key=("day",)).equals(frame)


def test_an_old_file_gets_the_new_symbols():
    renamed(("A", "B", "2026-01-05"), ("B", "C", "2026-02-02"))
    days = pd.to_datetime(["2026-01-04", "2026-01-05", "2026-01-05", "2026-02-02", "2026-02-02"])
    bars = pd.DataFrame({"symbol": ["A", "A", "B", "B", "C"], "date": days})
    assert follow_renames(bars)["symbol"].tolist() == ["C", "A", "C", "B", "C"]


@pytest.mark.parametrize("seed", range(6))
def test_any_graph_of_renames_is_followed_as_by_hand(seed):
    """Chains, rings and symbols that another company uses later, against a naive implementation."""
    rng = np.random.default_rng(seed)
    names = [f"N{number}" for number in range(9)]
    days = [date(2026, 1, 1) + timedelta(days=int(day)) for day in np.sort(rng.integers(0, 60, 25))]
    changes = {(old, day): new for day in days for old, new in [rng.choice(names, 2, replace=False).tolist()]}
    renamed(*((old, new, str(day)) for (old, day), new in changes.items()))
    ordered = [(old, new, day) for (old, day), new in changes.items()]
    rows = [(name, date(2025, 12, 28) + timedelta(days=int(day))) for name in names for day in range(0, 70, 3)]
    bars = pd.DataFrame(rows, columns=["symbol", "date"]).astype({"date": "datetime64[ns]"})
    assert follow_renames(bars)["symbol"].tolist() == [_by_hand(name, day, ordered) for name, day in rows]
    assert follow_renames(bars.iloc[:0]).empty
    for as_of in days[::4]:
        assert successors(as_of) == _successors_by_hand([change for change in ordered if change[2] <= as_of])


def _by_hand(symbol, day, ordered):
    for old, new, since in ordered:
        if symbol == old and day < since:
            symbol = new
    return symbol


def _successors_by_hand(ordered):
    latest: dict[str, str] = {}
    for old, new, _ in ordered:
        latest = {origin: new if symbol == old else symbol for origin, symbol in latest.items()}
        latest[old] = new
        latest.pop(new, None)
    return latest
