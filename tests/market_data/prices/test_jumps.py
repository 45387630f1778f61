"""Twin of market_data/prices/jumps.py."""

import pandas as pd
import pytest

from market_data.prices.adjustments import checked_events, reconciled_events
from market_data.prices.events import empty_events
from market_data.prices.inference import inferred_events
from market_data.prices.jumps import JUMP_COLUMNS, unexplained_jumps
from tests.market_data import real_market
from tests.market_data.frames import bars_of, day_after, events_of

OHLC = ["open", "high", "low", "close"]


def test_jumps_and_their_reasons() -> None:
    def reason(ratio: float, events: pd.DataFrame | None = None, held: float = 1.0) -> list[str]:
        today, history = day_after(ratio, held)
        return unexplained_jumps(today, history, empty_events() if events is None else events)["reason"].tolist()

    day = f"{day_after(1)[0]['date'].iloc[0]:%Y-%m-%d}"
    assert reason(0.9) == []
    assert reason(0.5) == ["near_simple_ratio"]
    assert reason(0.56) == ["no_event"]
    assert reason(1.5) == ["no_event"]
    assert reason(0.7, held=1.4) == []  # a stray first trade that the day took back
    assert reason(0.5, events_of(("ABC", day, "Bonus 1:1"))) == []
    assert reason(0.3, events_of(("ABC", day, "Bonus 1:1"))) == ["near_simple_ratio"]
    assert reason(0.6, events_of(("ABC", day, "Demerger"))) == ["event_without_factor"]


def test_a_contradicted_official_event_is_flagged() -> None:
    today, history = day_after(1.0)
    bars = pd.concat([history, today], ignore_index=True)
    events = checked_events(events_of(("ABC", f"{today['date'].iloc[0]:%Y-%m-%d}", "Bonus 1:1")), bars)
    jumps = unexplained_jumps(today, history, events)
    assert jumps["reason"].tolist() == ["event_contradicted"]
    assert jumps["ratio"].tolist() == pytest.approx([1.0])


def test_a_price_that_changed_over_a_gap() -> None:
    today, history = day_after(1.0)
    market = pd.concat([history.iloc[:10], bars_of([5.0] * 30, "XYZ")], ignore_index=True)
    lower = today.copy()
    lower[[*OHLC, "prev_close"]] *= 0.3
    assert unexplained_jumps(today, market, empty_events()).empty
    jumps = unexplained_jumps(lower, market, empty_events())
    assert jumps["reason"].tolist() == ["changed_over_gap"]
    in_the_gap = events_of(("ABC", f"{history['date'].iloc[15]:%Y-%m-%d}", "Bonus 2:1"))
    assert unexplained_jumps(lower, market, in_the_gap).empty


def test_a_demerger_that_only_the_opening_shows_stays_flagged_and_one_of_the_list_does_not() -> None:
    today, history = day_after(0.6)
    shown = inferred_events(today, history, None)
    jumps = unexplained_jumps(today, history, shown)
    assert jumps["reason"].tolist() == ["unconfirmed_demerger"]
    assert jumps["ratio"].tolist() == pytest.approx([0.6])
    assert unexplained_jumps(today, history, shown.assign(status="confirmed")).empty
    named = events_of(("ABC", f"{today['date'].iloc[0]:%Y-%m-%d}", "Demerger"))
    measured = pd.concat([named, inferred_events(today, history, None, named)], ignore_index=True)
    assert unexplained_jumps(today, history, measured).empty


def test_an_event_that_the_list_confirmed_counts_once() -> None:
    today, history = day_after(0.5)
    official = events_of(("ABC", f"{today['date'].iloc[0]:%Y-%m-%d}", "Bonus 1:1"))
    both = reconciled_events(inferred_events(today, history, None), official)
    assert sorted(both["status"]) == ["confirmed", "official"]
    assert unexplained_jumps(today, history, both).empty


def test_empty_input() -> None:
    today, history = day_after(0.1)
    assert list(unexplained_jumps(today.iloc[:0], history, empty_events()).columns) == list(JUMP_COLUMNS)


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
