"""Twin of market_data/prices/jumps.py."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market_data.prices.adjustments import checked_events
from market_data.prices.events import FACTOR_KINDS, empty_events
from market_data.prices.jumps import JUMP_COLUMNS, far_openings, inferred_events, unexplained_jumps
from tests.market_data import real_market
from tests.market_data.frames import bars_of, events_of

OHLC = ["open", "high", "low", "close"]


def _day(
    ratio: float, held: float = 1.0, turnover: float = 1.0, symbol: str = "ABC"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A session that opens at ``ratio`` of the last close and ends at ``held`` of its opening; and its history."""
    bars = bars_of([100 + np.sin(n) for n in range(31)], symbol)
    history, today = bars.iloc[:30], bars.iloc[30:].copy()
    opening = float(history["close"].iloc[-1]) * ratio
    today["prev_close"] = history["close"].iloc[-1]
    today["open"], today["close"] = opening, opening * held
    today["high"] = max(opening, opening * held) * 1.01
    today["low"] = min(opening, opening * held) * 0.99
    today["turnover_lakh"] = history["turnover_lakh"].median() * turnover
    today["volume"] = int(today["turnover_lakh"].iloc[0] * 1e5 / today["close"].iloc[0])
    return today, history


@pytest.mark.parametrize("factor", [1 / 3, 1 / 4, 1 / 5, 1 / 10, 1 / 15, 1 / 20, 1 / 100])
def test_a_deep_ratio_held_all_day_with_usual_turnover_is_inferred(factor: float) -> None:
    today, history = _day(factor * 1.02, turnover=2.5)
    events = inferred_events(today, history, history["date"].iloc[0])
    assert events["factor"].tolist() == [factor]
    assert events["status"].tolist() == ["inferred"]
    assert events["ex_date"].tolist() == events["known_on"].tolist() == today["date"].tolist()
    evidence = events["evidence"].tolist()[0]
    assert evidence["ground"] == "price"
    assert evidence["open_over_adjusted"] == pytest.approx(1.02, abs=1e-3)
    assert evidence["turnover_over_usual"] == pytest.approx(2.5, rel=0.01)


@pytest.mark.parametrize(
    "day",
    [
        _day(0.2, held=1.3),  # leaves the band of its new price
        _day(0.2, turnover=40),  # trades like a panic
        _day(0.2, turnover=0.01),  # hardly trades at all
        _day(0.225),  # near no simple ratio
        _day(1.0, held=0.2),  # falls during the day
        _day(5.0),  # rises
    ],
)
def test_what_does_not_look_like_a_split_is_left_alone(day: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    today, history = day
    assert inferred_events(today, history, None).empty


def test_nothing_is_inferred_inside_the_official_coverage_or_beside_a_known_event() -> None:
    today, history = _day(0.1)
    day = today["date"].iloc[0]
    assert inferred_events(today, history, day).empty
    assert len(inferred_events(today, history, day - pd.Timedelta(days=1))) == 1
    for known in (
        events_of(("ABC", f"{day:%Y-%m-%d}", "Face Value Split From Rs 10 To Re 1")),
        events_of(("ABC", f"{day - pd.Timedelta(days=2):%Y-%m-%d}", "Bonus 9:1")),
        events_of(("ABC", f"{day:%Y-%m-%d}", "Demerger")),
    ):
        assert inferred_events(today, history, None, known).empty
    other = events_of(("XYZ", f"{day:%Y-%m-%d}", "Bonus 9:1"))
    assert len(inferred_events(today, history, None, other)) == 1


def test_after_a_gap_nothing_is_inferred() -> None:
    today, history = _day(0.1)
    market = pd.concat([history.iloc[:25], bars_of([5.0] * 30, "XYZ")], ignore_index=True)
    assert inferred_events(today, market, None).empty


def test_a_ratio_a_crash_could_reach_needs_a_second_fact() -> None:
    today, history = _day(0.505)
    assert inferred_events(today, history, None).empty
    doubled = pd.DataFrame({"symbol": ["ABC"], "before": [1e6], "today": [2e6]})
    assert inferred_events(today, history, None, issue_sizes=doubled)["source"].tolist() == ["issue_size"]
    unchanged = doubled.assign(today=1e6)
    assert inferred_events(today, history, None, issue_sizes=unchanged).empty
    renumbered = inferred_events(today.assign(isin="INE111A01023"), history.assign(isin="INE111A01015"), None)
    assert renumbered["factor"].tolist() == [0.5]
    assert renumbered["evidence"].tolist()[0]["ground"] == "isin"
    assert inferred_events(today.assign(isin="INE999Z01011"), history.assign(isin="INE111A01015"), None).empty


def test_an_unchanged_number_of_shares_refutes_even_a_deep_ratio() -> None:
    today, history = _day(0.1)
    unchanged = pd.DataFrame({"symbol": ["ABC"], "before": [1e6], "today": [1e6]})
    assert inferred_events(today, history, None, issue_sizes=unchanged).empty


def test_prices_rewritten_without_their_turnover_are_no_split() -> None:
    today, history = _day(0.1)
    today["volume"] = history["volume"].iloc[-1]
    assert inferred_events(today, history, None).empty


@given(st.floats(0.25, 0.60), st.floats(0.9, 1.1), st.floats(0.2, 20))
def test_crashes_at_the_opening_are_left_alone(crash: float, held: float, turnover: float) -> None:
    today, history = _day(1 - crash, held, turnover)
    assert inferred_events(today, history, None).empty


@given(st.floats(0.02, 1.5), st.floats(0.02, 1.5))
def test_later_sessions_and_other_symbols_change_nothing(ratio: float, garble: float) -> None:
    today, history = _day(ratio)
    other_today, other_history = _day(0.1, symbol="XYZ")
    both = inferred_events(
        pd.concat([today, other_today]), pd.concat([history, other_history]).sort_values(["symbol", "date"]), None
    )
    alone = inferred_events(today, history, None)
    mine = both.loc[both["symbol"] == "ABC"].reset_index(drop=True)
    pd.testing.assert_frame_equal(mine, alone)
    old = history.copy()
    old.loc[old.index[:5], OHLC] *= garble  # rows before the last twenty
    pd.testing.assert_frame_equal(inferred_events(today, old, None), alone)


def test_jumps_and_their_reasons() -> None:
    def reason(ratio: float, events: pd.DataFrame | None = None, held: float = 1.0) -> list[str]:
        today, history = _day(ratio, held)
        return unexplained_jumps(today, history, empty_events() if events is None else events)["reason"].tolist()

    day = f"{_day(1)[0]['date'].iloc[0]:%Y-%m-%d}"
    assert reason(0.9) == []
    assert reason(0.5) == ["near_simple_ratio"]
    assert reason(0.56) == ["no_event"]
    assert reason(1.5) == ["no_event"]
    assert reason(0.7, held=1.4) == []  # a stray first trade that the day took back
    assert reason(0.5, events_of(("ABC", day, "Bonus 1:1"))) == []
    assert reason(0.3, events_of(("ABC", day, "Bonus 1:1"))) == ["near_simple_ratio"]
    assert reason(0.6, events_of(("ABC", day, "Demerger"))) == ["event_without_factor"]


def test_a_contradicted_official_event_is_flagged() -> None:
    today, history = _day(1.0)
    bars = pd.concat([history, today], ignore_index=True)
    events = checked_events(events_of(("ABC", f"{today['date'].iloc[0]:%Y-%m-%d}", "Bonus 1:1")), bars)
    jumps = unexplained_jumps(today, history, events)
    assert jumps["reason"].tolist() == ["event_contradicted"]
    assert jumps["ratio"].tolist() == pytest.approx([1.0])


def test_a_price_that_changed_over_a_gap() -> None:
    today, history = _day(1.0)
    market = pd.concat([history.iloc[:10], bars_of([5.0] * 30, "XYZ")], ignore_index=True)
    lower = today.copy()
    lower[[*OHLC, "prev_close"]] *= 0.3
    assert unexplained_jumps(today, market, empty_events()).empty
    jumps = unexplained_jumps(lower, market, empty_events())
    assert jumps["reason"].tolist() == ["changed_over_gap"]
    in_the_gap = events_of(("ABC", f"{history['date'].iloc[15]:%Y-%m-%d}", "Bonus 2:1"))
    assert unexplained_jumps(lower, market, in_the_gap).empty


def test_empty_input_and_two_sessions_at_once() -> None:
    today, history = _day(0.1)
    assert inferred_events(today.iloc[:0], history, None).empty
    assert inferred_events(today, history.iloc[:0], None).empty
    assert list(unexplained_jumps(today.iloc[:0], history, empty_events()).columns) == list(JUMP_COLUMNS)
    with pytest.raises(ValueError, match="one session"):
        inferred_events(history, history, None)


def test_far_openings_are_the_rows_where_something_can_be_found() -> None:
    today, history = _day(0.1)
    bars = pd.concat([history, today, bars_of([900.0, 901.0], "XYZ")], ignore_index=True)
    assert np.flatnonzero(far_openings(bars)).tolist() == [30]
    unnoticed = events_of(("XYZ", f"{bars['date'].iloc[-1]:%Y-%m-%d}", "Bonus 1:1"))
    assert np.flatnonzero(far_openings(bars, unnoticed)).tolist() == [30, 32]
    assert not far_openings(history).any()


@pytest.mark.real
def test_inference_without_the_list_finds_only_true_splits() -> None:
    """On shares over the covered years: 67 inferred, all 67 official with that factor. Funds are in no list."""
    inferred = real_market.inferred_without_list()
    inferred = inferred.loc[inferred["ex_date"] <= real_market.COVERED_UNTIL]
    official = real_market.events()
    official = official.loc[official["kind"].isin(FACTOR_KINDS)]
    true = official.groupby(["symbol", "ex_date"])["factor"].prod().rename("true")
    listed = inferred.merge(true, on=["symbol", "ex_date"], how="left")
    shares = listed.loc[listed["true"].notna()]
    assert len(shares) == 67
    assert np.allclose(shares["factor"], shares["true"])
    others = listed.loc[listed["true"].isna(), "symbol"]
    assert others.str.contains("ETF|HDFC|NIFTY").all(), others.tolist()
    # All that a crash cannot feign, by official record: the rest opened too far off and are flagged instead.
    bars = real_market.bars()[["symbol", "date"]].rename(columns={"date": "ex_date"})
    deep = true.loc[true < 0.36].reset_index().merge(bars, on=["symbol", "ex_date"])
    assert len(deep) == 86
    assert len(shares) / len(deep) > 0.75


@pytest.mark.real
def test_later_inferred_events_of_the_sample() -> None:
    """After the list ends: 42, each looked at by eye; share counts of the sample confirm all that have counts."""
    inferred = real_market.inferred_without_list()
    inferred = inferred.loc[inferred["ex_date"] > real_market.COVERED_UNTIL]
    assert len(inferred) == 42
    factors = dict(zip(inferred["symbol"], inferred["factor"], strict=True))
    for symbol, factor in {
        "KOTAKBANK": 1 / 5,
        "MCX": 1 / 5,
        "TATAINVEST": 1 / 10,
        "ANGELONE": 1 / 10,
        "PATANJALI": 1 / 3,
        "NAZARA": 1 / 4,
        "ADANIPOWER": 1 / 5,
    }.items():
        assert factors[symbol] == pytest.approx(factor)
    assert "VEDL" not in factors  # a demerger that opened at 0.37
    assert "TMPV" not in factors  # a demerger that opened at 0.61


@pytest.mark.real
@pytest.mark.parametrize("share_of_day", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("turnover", [1.0, 3.0, 10.0])
def test_injected_crashes_are_left_alone(share_of_day: float, turnover: float) -> None:
    """Every share of four sessions falls by 25-60 %: at the opening (0), half and half, or during the day (1)."""
    rng = np.random.default_rng(11)
    for session in real_market.sessions()[[620, 660, 700, 740]]:
        today, history = real_market.session_bars(session).copy(), real_market.history(session)
        crash = rng.uniform(0.25, 0.60, len(today))
        at_opening, by_close = (1 - crash) ** (1 - share_of_day), 1 - crash
        today["open"] *= at_opening
        today["high"] *= at_opening
        today["low"] *= by_close
        today["close"] *= by_close
        today["volume"] = (today["volume"] * turnover).astype("int64")
        today["turnover_lakh"] *= turnover * by_close
        inferred = real_market.inferred_without_list()
        genuine = inferred.loc[inferred["ex_date"] == session, "symbol"]
        inferred = inferred_events(today.loc[~today["symbol"].isin(genuine)], history, None)
        assert inferred.empty, inferred[["symbol", "factor", "evidence"]].to_dict("records")


@pytest.mark.real
def test_jumps_of_the_covered_years_are_explained() -> None:
    """Shares whose opening broke the price band: each on a demerger, rights issue or special dividend of the list."""
    events = real_market.events()
    unlisted = []
    for session in real_market.sessions_with_jumps():
        if session > real_market.COVERED_UNTIL:
            break
        jumps = unexplained_jumps(real_market.session_bars(session), real_market.history(session, 60), events)
        unlisted.append(jumps.loc[jumps["reason"].isin(("no_event", "near_simple_ratio"))])
    symbols = pd.concat(unlisted)["symbol"]
    shares = symbols.loc[~symbols.str.contains("ETF|HDFC|NIFTY")]
    assert shares.tolist() == ["KEEPLEARN"]
