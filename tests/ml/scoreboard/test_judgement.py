"""Outcomes of picks with answers by hand: the trade, late exits, gaps, splits, and which level comes first."""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.learning.labels import labels
from ml.scoreboard.judgement import UNSOLD_AFTER_SESSIONS, Bars, Judgement, UniverseReturn
from tests.ml import markets

DAYS = pd.bdate_range("2026-01-05", periods=60)
PICKED = DAYS[0].date()


def day(place: int) -> date:
    result: date = DAYS[place].date()
    return result


def share(symbol: str = "AAA", sessions: int = 12, **changes: dict[int, Any]) -> pd.DataFrame:
    """Bars at 100 with a range of ±1; `changes` give single values by session, a `skip` leaves the session out."""
    frame = pd.DataFrame({"symbol": symbol, "date": DAYS[:sessions], "factor": 1.0})
    for name, value in {"open": 100.0, "high": 101.0, "low": 99.0, "close": 100.0}.items():
        frame[name] = [changes.get(name, {}).get(place, value) for place in range(sessions)]
    frame["factor"] = [changes.get("factor", {}).get(place, 1.0) for place in range(sessions)]
    return frame.loc[[place not in changes.get("skip", {}) for place in range(sessions)]]


def events(*ex_dates: int, symbol: str = "AAA") -> pd.DataFrame:
    frame = pd.DataFrame({"symbol": [symbol] * len(ex_dates), "ex_date": [DAYS[place] for place in ex_dates]})
    return frame.astype({"ex_date": "datetime64[ns]"})


def expected(*facts: Any, **more: Any) -> Any:
    """A judgement; results and levels as plain words, numbers perhaps approximate."""
    return Judgement(*facts, **more)


def universe_mean(*facts: Any) -> Any:
    return UniverseReturn(*facts)


def outcome(
    *frames: pd.DataFrame, target: float | None = 110.0, stop: float | None = 90.0, blocked: pd.DataFrame | None = None
) -> Judgement | None:
    """Outcome of AAA, beside a share that trades on every session."""
    last = max(frame["date"].max() for frame in frames) if frames else DAYS[11]
    sessions = DAYS[last >= DAYS]
    market = pd.concat([*frames, share("ZZZ", len(sessions))], ignore_index=True)
    return Bars(market, sessions, events() if blocked is None else blocked).judgement(PICKED, "AAA", target, stop)


def test_bought_at_the_next_open_and_sold_ten_sessions_later() -> None:
    bars = share(open={1: 102.0, 11: 107.1}, close={11: 500.0})
    assert outcome(bars) == expected("sold", day(1), 102.0, day(11), 107.1, pytest.approx(5.0), "none")


def test_nothing_is_known_before_the_exit_session() -> None:
    assert outcome(share(sessions=11)) is None
    assert outcome(share(sessions=12)) is not None


def test_not_bought_without_a_trade_at_the_entry() -> None:
    assert outcome(share(skip={1: True})) == expected("not_bought", day(1))
    assert outcome(share(open={1: 0.0})) == expected("not_bought", day(1))
    assert outcome() == expected("not_bought", day(1))


def test_sold_at_the_next_trade_whenever_it_is() -> None:
    late = outcome(share(sessions=31, skip=dict.fromkeys(range(5, 30)), open={30: 50.0}))
    assert late == expected("sold", day(1), 100.0, day(30), 50.0, -50.0, "none")


def test_waiting_and_then_unsold_without_another_trade() -> None:
    gone = share(sessions=5)
    assert outcome(gone, share("YYY", sessions=11 + UNSOLD_AFTER_SESSIONS)) is None
    unsold = outcome(gone, share("YYY", sessions=12 + UNSOLD_AFTER_SESSIONS))
    assert unsold == expected("unsold", day(1), 100.0, first_touched="none")


@pytest.mark.parametrize(
    ("changes", "level", "place"),
    [
        ({"high": {4: 110.0}, "low": {5: 90.0}}, "target", 4),
        ({"high": {5: 110.0}, "low": {4: 90.0}}, "stop", 4),
        ({"high": {4: 112.0}, "low": {4: 88.0}}, "stop", 4),
        ({"open": {3: 80.0}, "low": {3: 80.0}, "high": {4: 120.0}}, "stop", 3),
        ({"low": {1: 90.0}}, "stop", 1),
        ({"high": {10: 110.0}}, "target", 10),
        ({"high": {0: 110.0}, "low": {0: 90.0}}, "none", None),
        ({"high": {11: 110.0}, "low": {11: 90.0}}, "none", None),
        ({"high": {4: 109.99}, "low": {4: 90.01}}, "none", None),
    ],
)
def test_which_level_comes_first(changes: dict[str, Any], level: str, place: int | None) -> None:
    judgement = outcome(share(**changes))
    assert judgement is not None
    assert (judgement.first_touched, judgement.touched_on) == (level, None if place is None else day(place))


def test_levels_that_are_missing_cannot_be_reached() -> None:
    bars = share(high={4: 110.0}, low={3: 90.0})
    reached = [outcome(bars, target=target, stop=stop) for target, stop in ((110.0, None), (None, 90.0), (None, None))]
    assert [judgement and judgement.first_touched for judgement in reached] == ["target", "stop", None]


def test_a_split_is_no_loss_and_prices_are_those_of_the_picks_session() -> None:
    """Split 1:2 on the sixth session: the prices halve, and the factor of what was before is a half."""
    halves: dict[str, Any] = {
        name: dict.fromkeys(range(5, 12), value / 2)
        for name, value in {"open": 100.0, "high": 101.0, "low": 99.0, "close": 100.0}.items()
    }
    halves["open"][11] = 55.0
    halves["high"][7] = 55.0
    halves["factor"] = dict.fromkeys(range(5), 0.5)
    answer = expected("sold", day(1), 100.0, day(11), 110.0, pytest.approx(10.0), "target", day(7))
    assert outcome(share(**halves)) == answer


@pytest.mark.parametrize(
    ("ex_date", "result", "level"),
    [
        (0, "sold", "target"),
        (1, "sold", None),  # bought without what was split off, but the levels were published before
        (2, "unmeasured", None),
        (10, "unmeasured", None),
        (11, "unmeasured", "target"),
        (12, "sold", "target"),
    ],
)
def test_no_return_across_a_demerger(ex_date: int, result: str, level: str | None) -> None:
    judgement = outcome(share(sessions=14, high={4: 110.0}), blocked=events(ex_date))
    assert judgement is not None
    assert (judgement.result, judgement.first_touched) == (result, level)
    assert (judgement.return_pct is None) == (result == "unmeasured")


def test_nothing_is_judged_while_a_sessions_bars_are_missing() -> None:
    market = share(skip={4: True})
    bars = Bars(market, DAYS[:12], events())
    assert bars.judgement(PICKED, "AAA", 110.0, 90.0) is None
    assert bars.universe_return(PICKED, {"AAA"}) is None


def test_the_universe_is_the_mean_of_its_shares_in_the_same_trade() -> None:
    market = pd.concat(
        [
            share("UP", open={11: 110.0}),
            share("DOWN", open={1: 200.0}, high={1: 200.0}),
            share("LAST", skip={10: True, 11: True}, close={9: 96.0}),  # no trade at the exit: its last close
            share("UNTRADED", skip={1: True}),
            share("SPLIT_OFF", open={11: 1.0}),
            share("OTHER", open={11: 1000.0}),
        ],
        ignore_index=True,
    )
    bars = Bars(market, DAYS[:12], events(5, symbol="SPLIT_OFF"))
    universe = {"UP", "DOWN", "LAST", "UNTRADED", "SPLIT_OFF", "NOWHERE"}
    assert bars.universe_return(PICKED, universe) == universe_mean(pytest.approx((10.0 - 50.0 - 4.0) / 3), 3)
    assert bars.universe_return(PICKED, set()) == UniverseReturn(None, 0)


def test_returns_are_those_the_models_learn() -> None:
    frame = markets.without_bars(markets.market(shares=12, days=40), seed=3)
    sessions = markets.sessions(40)
    bars = Bars(frame, sessions, markets.no_events())
    learned = labels(frame, sessions, markets.no_events())
    compared = 0
    for symbol, bought, forward_return in learned[["symbol", "date", "forward_return"]].to_numpy():
        judgement = bars.judgement(bought.date(), symbol, None, None)
        if judgement is None or np.isnan(forward_return):
            continue
        assert judgement.return_pct == pytest.approx(forward_return * 100, rel=1e-12)
        compared += 1
    assert compared > 250


@given(st.integers(0, 25), st.integers(0, 2**32 - 1))
def test_what_is_judged_does_not_depend_on_later_bars(place: int, seed: int) -> None:
    frame = markets.market(shares=4, days=40, seed=2)
    sessions = markets.sessions(40)
    cut = sessions[place + 11]
    known = Bars(frame.loc[frame["date"] <= cut], sessions[: place + 12], markets.no_events())
    later = Bars(markets.garbled_after(frame, cut, seed), sessions, markets.no_events())
    session = sessions[place].date()
    for symbol in ("S000", "S003"):
        judgement = known.judgement(session, symbol, 120.0, 80.0)
        assert judgement is not None
        assert later.judgement(session, symbol, 120.0, 80.0) == judgement
