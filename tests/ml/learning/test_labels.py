from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.learning.labels import (
    EMBARGO_SESSIONS,
    LATE_EXIT_SESSIONS,
    OUTCOMES,
    PURGE_SESSIONS,
    exit_counts,
    labels,
    last_training_position,
    late_entry_returns,
    unknown_outcomes,
)
from tests.ml.markets import market, no_events, sessions, without_bars

ANSWERS = Path(__file__).with_name("answers")


def hand_bars() -> pd.DataFrame:
    """The bars of the answer file; SPLIT has the factor of a 2-for-1 split on session 5."""
    wide = pd.read_csv(ANSWERS / "label_bars.csv")
    parts = []
    for symbol in ("EVENT", "GAP", "HOLD", "LATE", "SPLIT"):
        part = pd.DataFrame({"open": wide[f"{symbol}_open"], "low": wide[f"{symbol}_low"]})
        part["high"] = part["close"] = part["open"]
        part.insert(0, "symbol", symbol)
        part.insert(1, "date", sessions(20))
        part["factor"] = np.where((wide["session"] < 5) & (symbol == "SPLIT"), 0.5, 1.0)
        parts.append(part.dropna())
    return pd.concat(parts, ignore_index=True)


def answers():
    table = pd.read_csv(ANSWERS / "labels.csv")
    return [pytest.param(row, id=str(row.case)) for row in table.itertuples()]


@pytest.mark.parametrize("answer", answers())
def test_labels_equal_the_answers_by_hand(answer):
    events = no_events()
    if not np.isnan(answer.event_session):
        ex_date = sessions(20)[int(answer.event_session)]
        events = pd.DataFrame({"symbol": [answer.symbol], "ex_date": [ex_date]})
    bars = hand_bars()
    outcomes = labels(bars, sessions(20), events)
    day = sessions(20)[answer.session]
    if not ((bars["symbol"] == answer.symbol) & (bars["date"] == day)).any():
        # An untraded session has no row to carry a label.
        assert np.isnan(answer.forward_return)
        return
    row = outcomes.loc[(outcomes["symbol"] == answer.symbol) & (outcomes["date"] == day)].iloc[0]
    np.testing.assert_allclose(row["forward_return"], answer.forward_return, atol=1e-12)
    np.testing.assert_allclose(row["drawdown"], answer.drawdown, atol=1e-12)


def test_an_event_between_two_sessions_belongs_to_the_next():
    """An ex-date on the weekend before session 5 is an event of session 5."""
    assert sessions(20)[5] == pd.Timestamp("2023-01-09")
    saturday = pd.Timestamp("2023-01-07")
    events = pd.DataFrame({"symbol": ["EVENT"], "ex_date": [saturday]})
    returns = labels(hand_bars(), sessions(20), events).query("symbol == 'EVENT'")["forward_return"].to_numpy()
    assert np.isnan(returns[:4]).all()  # bought before, on sessions 1-4
    assert returns[4] == 0  # bought on session 5


def test_drawdowns_are_never_gains():
    bars = without_bars(market(shares=5, days=80), seed=1)
    outcomes = labels(bars, sessions(80), no_events())
    assert (outcomes["drawdown"].dropna() <= 0).all()
    assert outcomes["drawdown"].notna().mean() > 0.7
    pd.testing.assert_frame_equal(outcomes[["symbol", "date"]], bars[["symbol", "date"]])


@settings(max_examples=20)
@given(st.integers(20, 60), st.integers(0, 10**6))
def test_no_training_label_reaches_into_the_tested_sessions(first_tested, seed):
    """Whatever happens from the first tested session on, the outcomes that a fit may use do not change."""
    bars = without_bars(market(shares=6, days=80), seed=seed, share=0.5)
    changed = bars.copy()
    later = (bars["date"] >= sessions(80)[first_tested]).to_numpy()
    changed.loc[later, ["open", "low", "high", "close"]] *= 3.0
    before, after = (usable(labels(frame, sessions(80), no_events()), first_tested) for frame in (bars, changed))
    pd.testing.assert_frame_equal(before, after, check_exact=True)


def usable(outcomes, first_tested):
    """Outcomes that a fit of the session before the first tested one may use; both rules are needed."""
    position = sessions(80).get_indexer(pd.DatetimeIndex(outcomes["date"]))
    known = outcomes["exit_position"] < first_tested
    return outcomes.loc[known & (position <= last_training_position(first_tested))]


def test_purge_and_embargo_let_a_late_exit_through_that_only_its_position_stops():
    """Planted: untraded from its exit day on until after the first tested session, far beyond the embargo."""
    first_tested, calendar = 40, sessions(60)
    last = last_training_position(first_tested)
    assert (PURGE_SESSIONS, EMBARGO_SESSIONS) == (11, 5)
    assert last == 23  # 40 less 11 purged (29-39) less 5 embargoed (24-28)
    bars = market(shares=1, days=60)
    bars = bars.loc[~bars["date"].isin(calendar[last + PURGE_SESSIONS : first_tested + 3])].reset_index(drop=True)
    outcomes = labels(bars, calendar, no_events()).set_index("date")
    row = outcomes.loc[calendar[last]]
    assert row["exit_position"] == first_tested + 3
    assert row["late_exit"]
    opened = bars.set_index("date")["open"].astype(float).to_dict()
    assert row["forward_return"] == opened[calendar[first_tested + 3]] / opened[calendar[last + 1]] - 1
    # The session before was sold in time: it is known, this one is not.
    known = outcomes["exit_position"] <= first_tested
    assert known[calendar[last - 1]]
    assert not known[calendar[last]]


def test_an_exit_five_sessions_late_is_not_late_yet():
    calendar = sessions(40)
    bars = market(shares=1, days=40)
    for untraded, is_late in ((LATE_EXIT_SESSIONS, False), (LATE_EXIT_SESSIONS + 1, True)):
        thinned = bars.loc[~bars["date"].isin(calendar[11 : 11 + untraded])].reset_index(drop=True)
        first = labels(thinned, calendar, no_events()).iloc[0]
        assert first["exit_position"] == 11 + untraded
        assert bool(first["late_exit"]) is is_late


def trade(**columns):
    """Bars of one share on sessions 0 … 19: a price of 100, but for what is given as session → price."""
    bars = pd.DataFrame({"symbol": "A", "date": sessions(20), "factor": 1.0})
    for name in ("open", "high", "low", "close"):
        bars[name] = [float(columns.get(name, {}).get(session, 100)) for session in range(20)]
    untraded = columns.get("untraded", ())
    return bars.loc[~bars.index.isin(untraded)].reset_index(drop=True)


def first_outcome(bars, event=None):
    events = no_events()
    if event is not None:
        events = pd.DataFrame({"symbol": ["A"], "ex_date": [sessions(20)[event]]})
    return labels(bars, sessions(20), events).iloc[0]


def test_all_outcomes_of_one_trade_by_hand():
    """Close 100 on session 0, bought at 110 on 1, highest 132 on 4, lowest 88 on 7, 121 on 6, sold at 99 on 11."""
    outcome = first_outcome(
        trade(open={1: 110, 6: 121, 11: 99}, high={0: 999, 4: 132, 11: 999}, low={0: 1, 7: 88, 11: 1})
    )
    assert outcome["entry_step"] == pytest.approx(0.10)
    assert outcome["run_up"] == pytest.approx(0.20)
    assert outcome["drawdown"] == pytest.approx(-0.20)
    assert outcome["forward_return_5"] == pytest.approx(0.10)
    assert outcome["forward_return"] == pytest.approx(-0.10)
    assert outcome["exit_position"] == 11
    assert not outcome["late_exit"]


def test_a_share_that_only_falls_has_no_run_up():
    outcome = first_outcome(trade(open={1: 200}, high={1: 200}))
    assert outcome["run_up"] == 0
    assert outcome["drawdown"] == pytest.approx(-0.5)


def test_the_short_exit_waits_for_the_next_trade_too():
    outcome = first_outcome(trade(open={8: 150}, untraded=(6, 7)))
    assert outcome["forward_return_5"] == pytest.approx(0.5)
    assert outcome["exit_position"] == 11


def test_a_share_that_never_trades_again_has_no_return():
    outcome = first_outcome(trade(untraded=range(8, 20), low={3: 90}))
    assert np.isnan(outcome["forward_return"])
    assert np.isnan(outcome["exit_position"])
    assert not outcome["late_exit"]
    assert outcome["drawdown"] == pytest.approx(-0.1)  # seven of the ten days are known
    assert outcome["forward_return_5"] == 0


def test_what_is_not_bought_has_no_outcome():
    outcome = first_outcome(trade(untraded=(1,)))
    assert outcome[["forward_return", "forward_return_5", "drawdown", "run_up", "entry_step"]].isna().all()
    assert np.isnan(outcome["exit_position"])


def test_an_event_on_the_entry_day_changes_the_step_alone():
    outcome = first_outcome(trade(open={1: 50}), event=1)
    assert np.isnan(outcome["entry_step"])
    assert outcome["forward_return"] == pytest.approx(1.0)
    assert outcome["run_up"] == pytest.approx(1.0)


def test_an_event_on_the_fifth_day_blocks_both_returns_but_not_the_step():
    outcome = first_outcome(trade(), event=6)
    assert outcome[["forward_return", "forward_return_5", "drawdown", "run_up"]].isna().all()
    assert outcome["entry_step"] == 0


def test_nothing_is_known_of_what_is_bought_tomorrow():
    bars, calendar = market(shares=3, days=30), sessions(30)
    today = labels(bars, calendar, no_events()).loc[bars["date"] == calendar[-1], [*OUTCOMES]]
    pd.testing.assert_frame_equal(unknown_outcomes(today.index), today)


def test_late_and_unsold_exits_are_counted():
    """Of sessions 0 … 8 the exit is due by session 19; untraded 12 … 18, and for another share from 12 on."""
    late = trade(untraded=range(12, 19))
    gone = trade(untraded=range(12, 20)).assign(symbol="B")
    bars = pd.concat([late, gone], ignore_index=True)
    outcomes = labels(bars, sessions(20), no_events())
    position = sessions(20).get_indexer(pd.DatetimeIndex(bars["date"]))
    # A: due on 12 and 13 sold on 19 (7 and 6 late), on 14 … 19 in time by the rule of five. B: due on 11 alone is sold.
    assert exit_counts(outcomes, position, 19) == {"due": 18, "late": 2, "unsold": 8}
    assert exit_counts(outcomes, position, 15) == {"due": 10, "late": 0, "unsold": 8}


def test_a_trade_entered_a_session_late_is_that_of_the_next_bar():
    """Bought at 110 on session 2 and sold at 99 on 12; without a bar on session 1 there is no such trade."""
    bars = trade(open={1: 50, 2: 110, 12: 99})
    late = late_entry_returns(labels(bars, sessions(20), no_events()), sessions(20))
    assert late[0] == pytest.approx(-0.1)
    assert late.name == "late_entry_return"
    holed = trade(open={2: 110, 12: 99}, untraded=(1,))
    assert np.isnan(late_entry_returns(labels(holed, sessions(20), no_events()), sessions(20))[0])
    two = pd.concat([bars, bars.assign(symbol="B", open=100.0)], ignore_index=True)
    late = late_entry_returns(labels(two, sessions(20), no_events()), sessions(20))
    assert late[[0, 20]].tolist() == pytest.approx([-0.1, 0])
    assert late[[19, 39]].isna().all()  # the bar after a share's last is not the next share's first
