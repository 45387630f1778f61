"""Twin of market_data/prices/share_counts.py."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market_data.prices.adjustments import effective_events
from market_data.prices.events import DETACHED
from market_data.prices.share_counts import counted_demergers, settled_jumps
from tests.market_data.frames import events_of

END = pd.Timestamp("2026-04-30")


def _jump(ratio: float, reason: str = "near_simple_ratio") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "symbol": ["HDFCBANK"],
            "date": [pd.Timestamp("2025-08-26")],
            "ratio": [ratio],
            "reason": [reason],
            "near_factor": [np.nan],
        }
    )


def _counts(before: float, after: float) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "symbol": "HDFCBANK",
            "date": pd.to_datetime(["2025-03-31", "2025-12-16"]),
            "known_on": pd.to_datetime(["2025-06-14", "2025-12-16"]),
            "shares": [before, after],
            "source": ["statement", "mcap"],
        }
    )


def test_twice_the_shares_prove_a_bonus_from_the_day_both_counts_were_known() -> None:
    events = settled_jumps(_jump(0.4987), _counts(765e7, 1536e7), END)
    assert events["factor"].tolist() == [0.5]
    assert events["ex_date"].tolist() == [pd.Timestamp("2025-08-26")]
    assert events["known_on"].tolist() == [pd.Timestamp("2025-12-16")]
    assert events["evidence"].tolist()[0]["shares_after_source"] == "mcap"
    assert effective_events(events, pd.Timestamp("2025-12-15")).empty
    assert len(effective_events(events, pd.Timestamp("2025-12-16"))) == 1


@pytest.mark.parametrize(
    ("ratio", "before", "after"),
    [
        (0.5, 100.0, 100.0),  # a crash
        (0.7706, 1706.0, 2619.0),  # a rights issue: 1.5 times the shares, but they were paid for
        (0.6049, 249.8, 428.2),  # 7/12 is no simple ratio, and 3/5 is another
        (0.5, 100.0, 180.0),  # a large issue of shares
        (0.3, 100.0, 200.0),  # twice the shares at a third of the price
    ],
)
def test_what_the_counts_do_not_prove(ratio: float, before: float, after: float) -> None:
    assert settled_jumps(_jump(ratio), _counts(before, after), END).empty


def test_counts_of_the_future_or_on_one_side_alone_prove_nothing() -> None:
    counts = _counts(100.0, 200.0)
    assert settled_jumps(_jump(0.5), counts, pd.Timestamp("2025-12-15")).empty
    assert settled_jumps(_jump(0.5), counts.iloc[1:], END).empty
    assert settled_jumps(_jump(0.5), counts.iloc[:1], END).empty
    assert settled_jumps(_jump(0.5, "event_without_factor"), counts, END).empty


def test_a_source_that_lags_is_overtaken_by_the_next_count() -> None:
    stale = _counts(100.0, 200.0)
    lagging = stale.iloc[:1].assign(
        date=pd.Timestamp("2025-08-27"), known_on=pd.Timestamp("2025-08-27"), source="snapshot"
    )
    stale = pd.concat([stale, lagging], ignore_index=True)
    assert settled_jumps(_jump(0.5), stale, END)["known_on"].tolist() == [pd.Timestamp("2025-12-16")]


@given(st.floats(0.3, 0.9), st.floats(0.97, 1.03))
def test_a_crash_is_never_settled(ratio: float, drift: float) -> None:
    assert settled_jumps(_jump(ratio), _counts(100.0, 100.0 * drift), END).empty


def _shown(ex_date: str = "2025-08-26") -> pd.DataFrame:
    """A demerger of HDFCBANK that only the opening shows."""
    events = events_of(("HDFCBANK", ex_date, "Demerger"))
    return events.assign(status="inferred", source=DETACHED, factor=0.6)


def test_an_unchanged_number_of_shares_confirms_a_demerger_that_only_the_opening_showed() -> None:
    settled = counted_demergers(_shown(), _counts(765e7, 766e7), END)
    assert settled["status"].tolist() == ["confirmed"]
    assert settled["evidence"].tolist()[0]["confirmed_on"] == "2025-12-16"
    assert counted_demergers(_shown(), _counts(765e7, 766e7), pd.Timestamp("2025-12-15"))["status"].item() == "inferred"
    assert counted_demergers(_shown(), _counts(765e7, 1311e7), END)["status"].tolist() == ["inferred"]


def test_a_count_of_the_first_days_confirms_nothing_for_bonus_shares_come_later() -> None:
    assert counted_demergers(_shown("2025-12-12"), _counts(765e7, 765e7), END)["status"].tolist() == ["inferred"]


def test_a_split_that_counts_prove_replaces_a_demerger_of_the_opening() -> None:
    counts = _counts(100.0, 250.0)
    shown = _shown().assign(factor=0.42)
    proven = settled_jumps(_jump(0.42, "unconfirmed_demerger"), counts, END)
    both = counted_demergers(pd.concat([shown, proven], ignore_index=True), counts, END)
    assert sorted(both["status"]) == ["inferred", "rejected"]
    assert effective_events(both, pd.Timestamp("2025-12-15"))["factor"].tolist() == [0.42]
    assert effective_events(both, END)["factor"].tolist() == [0.4]
