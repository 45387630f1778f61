"""Twin of market_data/prices/adjustments.py."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market_data.prices.adjustments import adj_close, adjusted, checked_events, effective_events, reconciled_events
from market_data.prices.events import FACTOR_KINDS, SPECIAL_PREOPEN, blocked_events, empty_events
from tests.market_data import real_market
from tests.market_data.frames import bars_of, events_of, records

END = pd.Timestamp("2024-12-31")


def test_a_split_and_a_bonus_by_hand() -> None:
    """Closes 100, 110, then one for ten and one bonus for one (1/20): 6, 6.6; all before is divided by twenty."""
    bars = bars_of([100, 110, 6, 6.6])
    ex_date = f"{bars['date'].iloc[2]:%Y-%m-%d}"
    events = events_of(("ABC", ex_date, "Bonus 1:1"), ("ABC", ex_date, "Face Value Split From Rs 10 To Re 1"))
    frame = adjusted(bars, events, END)
    assert frame["factor"].tolist() == pytest.approx([0.05, 0.05, 1, 1])
    assert adj_close(frame).tolist() == pytest.approx([5.0, 5.5, 6.0, 6.6])


def test_an_event_in_a_gap_acts_on_all_rows_before_it_and_on_no_other_symbol() -> None:
    bars = pd.concat(
        [bars_of([100, 101, 51], dates=["2024-01-01", "2024-01-02", "2024-03-01"]), bars_of([7, 8], symbol="XYZ")],
        ignore_index=True,
    )
    frame = adjusted(bars, events_of(("ABC", "2024-02-05", "Bonus 1:1")), END)
    assert frame["factor"].tolist() == [0.5, 0.5, 1, 1, 1]


def test_an_event_acts_only_from_the_day_it_was_known() -> None:
    bars = bars_of([100, 50, 51])
    events = events_of(("ABC", f"{bars['date'].iloc[1]:%Y-%m-%d}", "Bonus 1:1"))
    events["known_on"] = bars["date"].iloc[2]
    assert adjusted(bars, events, bars["date"].iloc[1])["factor"].tolist() == [1, 1, 1]
    assert adjusted(bars, events, bars["date"].iloc[2])["factor"].tolist() == [0.5, 1, 1]


def test_events_without_a_factor_or_rejected_do_not_act() -> None:
    bars = bars_of([100, 50])
    ex_date = f"{bars['date'].iloc[1]:%Y-%m-%d}"
    events = events_of(("ABC", ex_date, "Demerger"), ("ABC", ex_date, "Bonus 1:1"))
    events.loc[events["kind"] == "bonus", "status"] = "rejected"
    assert adjusted(bars, events, END)["factor"].eq(1).all()
    assert adjusted(bars, empty_events(), END)["factor"].eq(1).all()


def _inferred(symbol: str, ex_date: str, factor: float) -> pd.DataFrame:
    events = events_of((symbol, ex_date, "Face Value Split From Rs 10 To Rs 2"))
    return events.assign(status="inferred", factor=factor, source="price")


def test_an_official_event_replaces_an_inferred_one_nearby() -> None:
    inferred = _inferred("ABC", "2024-01-02", 0.2)
    official = events_of(("ABC", "2024-01-03", "Face Value Split From Rs 10 To Rs 2"))
    official["known_on"] = pd.Timestamp("2024-02-01")
    both = reconciled_events(inferred, official)
    assert sorted(both["status"]) == ["confirmed", "official"]
    assert effective_events(both, pd.Timestamp("2024-01-31"))["status"].tolist() == ["confirmed"]
    assert effective_events(both, pd.Timestamp("2024-02-01"))["status"].tolist() == ["official"]


def test_an_inferred_event_that_was_wrong_counts_until_the_truth_was_known() -> None:
    official = events_of(("ABC", "2024-01-02", "Bonus 3:1"))
    official["known_on"] = pd.Timestamp("2024-02-01")
    both = reconciled_events(_inferred("ABC", "2024-01-02", 0.2), official)
    assert sorted(both["status"]) == ["official", "rejected"]
    assert effective_events(both, pd.Timestamp("2024-01-31"))["factor"].tolist() == [0.2]
    assert effective_events(both, pd.Timestamp("2024-02-01"))["factor"].tolist() == [0.25]
    assert reconciled_events(both, official)["status"].tolist() == both["status"].tolist()


def test_two_actions_of_one_day_confirm_an_inferred_product() -> None:
    official = events_of(
        ("ABC", "2024-01-02", "Bonus 1:1"), ("ABC", "2024-01-02", "Face Value Split From Rs 10 To Rs 5")
    )
    both = reconciled_events(_inferred("ABC", "2024-01-02", 0.25), official)
    assert both.loc[both["status"] == "confirmed", "factor"].tolist() == [0.25]
    assert effective_events(both, END)["status"].eq("official").all()


@pytest.mark.parametrize(
    ("kind", "purpose", "status"),
    [
        ("demerger", "Demerger", "confirmed"),
        ("split", "Demerger", "rejected"),
        ("demerger", "Rights 1:1 @ Premium Rs 1/-", "rejected"),
        ("demerger", "Bonus 1:2", "rejected"),
        ("demerger", "Dividend - Rs 2 Per Share", "inferred"),
    ],
)
def test_what_an_official_event_without_a_factor_settles(kind: str, purpose: str, status: str) -> None:
    inferred = _inferred("ABC", "2024-01-02", 0.6).assign(kind=kind)
    both = reconciled_events(inferred, events_of(("ABC", "2024-01-02", purpose)))
    assert both.loc[both["status"].ne("official"), "status"].tolist() == [status]
    two_days_later = reconciled_events(inferred, events_of(("ABC", "2024-01-04", "Demerger")))
    assert sorted(two_days_later["status"]) == ["inferred", "official"]


def test_the_measured_ratio_of_a_demerger_acts_beside_an_official_bonus() -> None:
    official = events_of(("ABC", "2024-01-02", "Demerger"), ("ABC", "2024-01-02", "Bonus 1:1"))
    measured = _inferred("ABC", "2024-01-02", 0.9).assign(kind="demerger", source=SPECIAL_PREOPEN)
    both = reconciled_events(measured, official)
    assert sorted(both["status"]) == ["inferred", "official", "official"]
    assert sorted(effective_events(both, END)["factor"]) == [0.5, 0.9]


@pytest.mark.parametrize(
    ("closes", "purpose", "agrees"),
    [
        ([100, 51], "Bonus 1:1", True),
        ([100, 101], "Bonus 1:1", False),
        ([100, 98], "Bonus 1:10", True),
        ([100, 74], "Face Value Split From Rs 10 To Rs 2", False),
        ([100, 55], "Face Value Split From Rs 10 To Rs 2", None),
        ([100, 990], "Consolidation From Re 1 To Rs 10", True),
    ],
)
def test_the_price_of_the_ex_date_is_held_against_the_factor(
    closes: list[float], purpose: str, agrees: bool | None
) -> None:
    bars = bars_of(closes)
    bars["open"] = bars["close"]
    bars.loc[1, "prev_close"] = bars["close"].iloc[0]
    events = checked_events(events_of(("ABC", f"{bars['date'].iloc[1]:%Y-%m-%d}", purpose)), bars)
    assert events.at[0, "status"] == "official"
    assert events["evidence"].tolist()[0]["agrees"] is agrees
    acts = adjusted(bars, events, END)["factor"].iloc[0] != 1
    assert acts == (agrees is not False)


def test_a_previous_close_that_a_vendor_adjusted_does_not_deny_the_event() -> None:
    bars = bars_of([100, 51])
    bars.loc[1, ["prev_close", "open"]] = 50.0
    events = checked_events(events_of(("ABC", f"{bars['date'].iloc[1]:%Y-%m-%d}", "Bonus 1:1")), bars)
    assert events["evidence"].tolist()[0]["agrees"] is True


def test_without_a_bar_on_the_ex_date_the_price_cannot_tell() -> None:
    bars = bars_of([100, 51], dates=["2024-01-01", "2024-03-01"])
    events = checked_events(events_of(("ABC", "2024-02-01", "Bonus 1:1"), ("NEW", "2024-02-01", "Bonus 1:1")), bars)
    assert [e["agrees"] for e in events["evidence"]] == [None, None]
    assert [e["reason"] for e in events["evidence"]] == [
        "not traded on the ex-date in this series",
        "no bars of this symbol",
    ]
    assert adjusted(bars, events, END)["factor"].tolist() == [0.5, 1]


prices = st.lists(st.floats(1, 1e5), min_size=2, max_size=30)
ex_days = st.lists(st.tuples(st.integers(0, 40), st.sampled_from([0.1, 0.2, 0.5, 2 / 3, 10.0])), max_size=5)


def _random_events(days: list[tuple[int, float]]) -> pd.DataFrame:
    start = pd.Timestamp("2024-01-01")
    frame = pd.DataFrame(
        {
            "symbol": "ABC",
            "ex_date": [start + pd.Timedelta(days=day) for day, _ in days],
            "kind": "split",
            "factor": [factor for _, factor in days],
            "known_on": [start + pd.Timedelta(days=day) for day, _ in days],
            "status": "official",
            "purpose": "",
            "source": "test",
            "evidence": None,
        }
    )
    return frame if days else empty_events()


@given(prices, ex_days)
def test_factors_equal_the_product_written_as_a_loop(closes: list[float], days: list[tuple[int, float]]) -> None:
    bars, events = bars_of(closes), _random_events(days)
    expected = [
        np.prod([f for ex, f in zip(events["ex_date"], events["factor"], strict=True) if ex > day])
        for day in bars["date"]
    ]
    assert adjusted(bars, events, END)["factor"].to_numpy() == pytest.approx(expected)


@given(prices, ex_days, st.integers(0, 29))
def test_events_after_the_day_of_knowledge_change_nothing(
    closes: list[float], days: list[tuple[int, float]], at: int
) -> None:
    bars = bars_of(closes)
    as_of = bars["date"].iloc[min(at, len(bars) - 1)]
    events = _random_events(days)
    cut = events.loc[events["ex_date"] <= as_of]
    past = bars.loc[bars["date"] <= as_of]
    pd.testing.assert_frame_equal(adjusted(past, events, as_of), adjusted(past, cut, as_of))
    assert adjusted(past, events, as_of)["factor"].iloc[-1] == 1


@given(prices, ex_days)
def test_rows_keep_their_order_and_index(closes: list[float], days: list[tuple[int, float]]) -> None:
    bars = bars_of(closes)
    shuffled = bars.sample(frac=1, random_state=1)
    events = _random_events(days)
    straight = adjusted(bars, events, END)
    pd.testing.assert_frame_equal(adjusted(shuffled, events, END).sort_index(), straight)


@pytest.mark.real
def test_each_official_factor_agrees_with_the_price_of_its_ex_date() -> None:
    """All that traded on the ex-date agree; the others fell into weeks in another series, one never traded."""
    events = real_market.events()
    events = events.loc[events["kind"].isin(FACTOR_KINDS) & (events["ex_date"] >= "2023-04-03")]
    agrees = events["evidence"].map(lambda evidence: evidence["agrees"])
    assert agrees.map(str).value_counts().to_dict() == {"True": 201, "None": 54}
    reasons = events.loc[agrees.isna(), "evidence"].map(lambda evidence: evidence["reason"]).value_counts().to_dict()
    assert reasons == {"not traded on the ex-date in this series": 53, "no bars of this symbol": 1}
    openings = events.loc[agrees.notna(), "evidence"].map(lambda e: e["opening_ratio"] / e["factor"] - 1)
    assert openings.abs().max() < 0.19
    assert openings.abs().median() < 0.025


@pytest.mark.real
def test_adjusted_closes_of_the_sample_move_like_closes_and_not_by_factors() -> None:
    """Across each official ex-date with neighbouring sessions, the adjusted close stays inside the price band."""
    frame = real_market.adjusted_bars()
    steps = frame["factor"].ne(frame.groupby("symbol")["factor"].shift()) & frame["symbol"].eq(frame["symbol"].shift())
    neighbours = frame["prev_close"].eq(frame["close"].shift())
    move = adj_close(frame) / adj_close(frame).shift() - 1
    assert (steps & neighbours).sum() == 196
    assert move[steps & neighbours].abs().max() < 0.21


@pytest.mark.real
def test_no_factor_changes_on_any_other_day() -> None:
    frame = real_market.adjusted_bars()
    steps = frame["factor"].ne(frame.groupby("symbol")["factor"].shift()) & frame["symbol"].eq(frame["symbol"].shift())
    official = real_market.events()
    official = official.loc[official["kind"].isin(FACTOR_KINDS)]
    last = frame["date"].shift()
    for row in records(frame.assign(last=last).loc[steps, ["symbol", "last", "date"]]):
        of_symbol = official.loc[official["symbol"].eq(row["symbol"]), "ex_date"]
        assert (of_symbol.gt(row["last"]) & of_symbol.le(row["date"])).any(), row
    assert len(blocked_events(official)) == 0
