from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.learning.labels import EMBARGO_SESSIONS, LATE_EXIT_SESSIONS, PURGE_SESSIONS, labels, last_training_position
from tests.ml.markets import market, no_events, sessions, without_bars

ANSWERS = Path(__file__).with_name("answers")


def hand_bars() -> pd.DataFrame:
    """The bars of the answer file; SPLIT has the factor of a 2-for-1 split on session 5."""
    wide = pd.read_csv(ANSWERS / "label_bars.csv")
    parts = []
    for symbol in ("EVENT", "GAP", "HOLD", "LATE", "SPLIT"):
        part = pd.DataFrame({"open": wide[f"{symbol}_open"], "low": wide[f"{symbol}_low"]})
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
    """Whatever happens from the first tested session on, labels up to the last training session do not change."""
    bars = without_bars(market(shares=6, days=80), seed=seed, share=0.3)
    changed = bars.copy()
    later = (bars["date"] >= sessions(80)[first_tested]).to_numpy()
    changed.loc[later, ["open", "low"]] *= 3.0
    training = (bars["date"] <= sessions(80)[last_training_position(first_tested)]).to_numpy()
    before, after = (labels(frame, sessions(80), no_events()).loc[training] for frame in (bars, changed))
    pd.testing.assert_frame_equal(before, after, check_exact=True)


def test_purge_and_embargo_are_exactly_as_long_as_needed():
    """One session later, a share sold as late as the rule allows would be sold on a tested session."""
    first_tested = 40
    last = last_training_position(first_tested)
    assert (PURGE_SESSIONS, EMBARGO_SESSIONS) == (11, 5)
    assert last == 23  # 40 less 11 purged (29-39) less 5 embargoed (24-28)
    calendar = sessions(60)
    bars = market(shares=1, days=60)
    # Due on last+1+11, untraded for five sessions from there, hence sold on the first tested session.
    exit_day = last + 1 + PURGE_SESSIONS
    untraded = bars["date"].isin(calendar[exit_day : exit_day + LATE_EXIT_SESSIONS])
    bars = bars.loc[~untraded].reset_index(drop=True)
    changed = bars.assign(open=bars["open"].where(bars["date"] < calendar[first_tested], bars["open"] * 2))
    before, after = (
        labels(frame, calendar, no_events()).set_index("date")["forward_return"].to_dict() for frame in (bars, changed)
    )
    assert before[calendar[last]] == after[calendar[last]]
    assert before[calendar[last + 1]] != after[calendar[last + 1]]
