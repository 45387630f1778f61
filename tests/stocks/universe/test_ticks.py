"""Price steps by price and date, by hand, and as a property of the prices that the check lets through."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocks.universe.ticks import finest_tick, tick_size

BEFORE, CHEAP, CHEAP_END, GRADED = date(2024, 6, 9), date(2024, 6, 10), date(2025, 4, 14), date(2025, 4, 15)


@pytest.mark.parametrize(
    ("day", "month_close", "step"),
    [
        (BEFORE, "10", "0.05"),
        (BEFORE, "30000", "0.05"),
        (CHEAP, "249.95", "0.01"),
        (CHEAP, "250", "0.05"),
        (CHEAP_END, "30000", "0.05"),
        (GRADED, "249.99", "0.01"),
        (GRADED, "250", "0.05"),
        (GRADED, "1000", "0.05"),
        (GRADED, "1000.05", "0.10"),
        (GRADED, "5000", "0.10"),
        (GRADED, "5000.10", "0.50"),
        (GRADED, "10000", "0.50"),
        (GRADED, "10000.50", "1"),
        (GRADED, "20000", "1"),
        (GRADED, "20001", "5"),
    ],
)
def test_steps_by_price_and_date(day, month_close, step):
    assert tick_size(day, Decimal(month_close)) == Decimal(step)


@given(
    day=st.dates(date(2016, 1, 1), date(2030, 1, 1)),
    month_close=st.decimals("0.05", 200_000, places=2),
)
def test_each_step_is_a_multiple_of_the_days_finest(day, month_close):
    assert tick_size(day, month_close) % finest_tick(day) == 0


def closes(path: Path) -> "pd.Series[str]":
    """Closes of series EQ by symbol, as written."""
    bars = pd.read_csv(path, skipinitialspace=True, dtype=str)
    return bars[bars["SERIES"] == "EQ"].set_index("SYMBOL")["CLOSE_PRICE"]


@pytest.mark.real
def test_every_share_of_a_list_has_the_step_of_the_close_of_the_month_before(sample_dir: Path):
    """Fyers' list is of 2025-11-10; Zerodha's, kept on 2026-01-04, still follows November's close, not December's."""
    fyers = pd.read_csv(sample_dir / "fyers/NSE_CM.csv", header=None, dtype=str)
    fyers = fyers[fyers[9].str.endswith("-EQ") & ~fyers[5].str.startswith("INF", na=False)]
    fyers_ticks = pd.Series(fyers[4].to_numpy(), index=fyers[9].str[4:-3])
    kite = pd.read_csv(sample_dir / "kite/instruments_NSE.csv", dtype=str).set_index("tradingsymbol")["tick_size"]
    for ticks, name, day in (
        (fyers_ticks, "31102025", date(2025, 11, 10)),
        (kite[kite.index.isin(fyers_ticks.index)], "28112025", date(2025, 12, 1)),
    ):
        both = pd.concat(
            [closes(sample_dir / f"nse/bhavcopy/sec_bhavdata_full_{name}.csv"), ticks], axis=1, join="inner"
        )
        both.columns = pd.Index(["close", "tick"])
        assert len(both) > 1_900
        wrong = [row for row in both.itertuples() if tick_size(day, Decimal(str(row.close))) != Decimal(str(row.tick))]
        assert wrong == []
