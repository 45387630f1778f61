"""Bar frames: what is set aside, why, and that nothing is lost or repaired on the way."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market_data.prices.bars import (
    BAR_COLUMNS,
    BAR_DTYPES,
    MAX_PRICE,
    REJECT_COLUMNS,
    checked_bars,
    first_of_series,
)

DAY = date(2026, 4, 30)
GOOD = {
    "symbol": "INFY",
    "date": pd.Timestamp(DAY),
    "series": "EQ",
    "open": 100.0,
    "high": 103.0,
    "low": 99.0,
    "close": 101.5,
    "prev_close": 100.5,
    "last_price": 101.4,
    "vwap": 101.1,
    "volume": 1000,
    "turnover_lakh": 1.01,
    "trades": 12,
    "delivered_quantity": 400,
    "isin": None,
}


def rows(*changes: dict[str, object]) -> pd.DataFrame:
    """Rows of a bar frame, each the good one with changes."""
    return pd.DataFrame([GOOD | change for change in changes], columns=list(BAR_COLUMNS))


def test_a_good_row_is_taken_as_it_is():
    bars, rejects = checked_bars(rows({}), session=DAY)
    assert rejects.empty
    assert bars.dtypes.astype(str).to_dict() == BAR_DTYPES
    assert bars[["open", "high", "low", "close"]].to_numpy().tolist()[0] == [100.0, 103.0, 99.0, 101.5]
    assert bars.loc[0, "delivered_quantity"] == 400


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"symbol": ""}, "symbol is missing"),
        ({"symbol": None}, "symbol is missing"),
        ({"date": pd.NaT}, "date is missing"),
        ({"date": pd.Timestamp("2026-04-29")}, "date is not 2026-04-30"),
        ({"series": "GS"}, "series is not a share series"),
        ({"open": np.nan}, "price is missing"),
        ({"high": np.inf}, "price is infinite"),
        ({"low": 0.0}, "price is zero or negative"),
        ({"low": -3.0}, "price is zero or negative"),
        ({"high": MAX_PRICE * 2}, "price is absurd"),
        ({"high": 101.0}, "high is below open, close or low"),
        ({"low": 100.5}, "low is above open, close or high"),
        ({"volume": -1}, "volume is negative"),
        ({"volume": np.nan}, "volume is missing"),
        ({"volume": 10.5}, "volume is not a whole number"),
    ],
)
def test_a_bad_row_is_set_aside_with_its_reason(change, reason):
    bars, rejects = checked_bars(rows({"symbol": "TCS"}, change), session=DAY)
    assert bars["symbol"].tolist() == ["TCS"]
    assert rejects["reason"].tolist() == [reason]
    assert tuple(rejects.columns) == REJECT_COLUMNS
    assert rejects["raw"].str.contains(change.get("series", "EQ")).all()


def test_without_a_session_any_date_is_good():
    other = rows({}, {"date": pd.Timestamp("2026-04-29")})
    assert len(checked_bars(other)[0]) == 2


def test_of_several_series_the_first_one_is_kept():
    bars, rejects = checked_bars(
        rows({"series": "BE", "close": 100.0}, {"series": "EQ"}, {"series": "BZ"}), session=DAY
    )
    assert bars["series"].tolist() == ["EQ"]
    assert sorted(rejects["reason"]) == [
        "also traded in BE; the first series is kept",
        "also traded in BZ; the first series is kept",
    ]


def test_the_first_of_series_leaves_single_rows_alone():
    single = rows({}, {"symbol": "TCS", "series": "BE"})
    kept, rejects = first_of_series(single)
    assert kept is single
    assert rejects.empty


def test_a_repeated_line_counts_once():
    bars, rejects = checked_bars(rows({}, {}), session=DAY)
    assert len(bars) == 1
    assert rejects["reason"].tolist() == ["line is repeated"]


def test_lines_that_contradict_each_other_are_both_refused():
    bars, rejects = checked_bars(rows({}, {"close": 102.0}), session=DAY)
    assert bars.empty
    assert rejects["reason"].tolist() == ["lines contradict each other"] * 2


def test_an_empty_frame_stays_one():
    bars, rejects = checked_bars(rows().astype(BAR_DTYPES), session=DAY)
    assert bars.empty
    assert rejects.empty
    assert bars.dtypes.astype(str).to_dict() == BAR_DTYPES


def test_a_frame_without_a_column_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="delivered_quantity"):
        checked_bars(rows({}).drop(columns=["delivered_quantity"]))


price = st.one_of(
    st.floats(0.05, 1e5), st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -5.0, MAX_PRICE * 10]), st.just(100.0)
)
line = st.fixed_dictionaries(
    {
        "symbol": st.sampled_from(["A", "B", "C", ""]),
        "series": st.sampled_from(["EQ", "BE", "GS"]),
        "open": price,
        "high": price,
        "low": price,
        "close": price,
        "volume": st.one_of(st.integers(-5, 10**9), st.just(float("nan"))),
    }
)


@given(st.lists(line, max_size=12))
def test_every_row_ends_up_on_exactly_one_side(lines):
    frame = rows(*lines) if lines else rows().astype(BAR_DTYPES)
    bars, rejects = checked_bars(frame, session=DAY)
    assert len(bars) + len(rejects) == len(frame)
    assert not bars.duplicated(["symbol", "date"]).any()
    assert (bars["low"] > 0).all()
    assert (bars[["open", "close"]].max(axis=1) <= bars["high"] + 1e-9).all()
    assert (bars[["open", "close"]].min(axis=1) >= bars["low"] - 1e-9).all()
    again, none = checked_bars(bars, session=DAY)
    assert none.empty
    pd.testing.assert_frame_equal(again, bars)
