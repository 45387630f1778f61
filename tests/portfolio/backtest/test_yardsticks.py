"""What the same capital would have become without choosing."""

import numpy as np
import pandas as pd

from portfolio.backtest.yardsticks import equal_weight_returns, fund_returns
from tests.portfolio.backtest.markets import bars_frame, weekdays

DAYS = weekdays(4)


def universe(*rows: tuple[int, str]) -> pd.DataFrame:
    frame = pd.DataFrame([(symbol, DAYS[n]) for n, symbol in rows], columns=["symbol", "date"])
    return frame.astype({"date": "datetime64[ns]"})


def test_the_mean_is_of_the_shares_that_were_tradable_the_session_before():
    closes = bars_frame({"A": [10, 11, 11, 22], "B": [10, 20, 10, 10], "C": [5, 50, 5, 5]})
    returns = equal_weight_returns(closes, universe((0, "A"), (0, "B"), (1, "B"), (2, "A"), (3, "C")), DAYS)
    # Session 1: A +10 %, B +100 %. Session 2: B alone, −50 %. Session 3: A alone, +100 %.
    np.testing.assert_allclose(returns, [0, 0.55, -0.5, 1.0])


def test_a_share_without_a_bar_returns_nothing_until_it_trades():
    closes = bars_frame({"A": [10, None, 30, 30], "B": [10, 10, 10, 10]})
    both = [(n, symbol) for n in range(3) for symbol in "AB"]
    # Session 1: nothing of A; session 2: +200 % from its last close.
    np.testing.assert_allclose(equal_weight_returns(closes, universe(*both), DAYS), [0, 0, 1.0, 0])


def test_a_session_without_known_shares_returns_nothing():
    closes = bars_frame({"A": [10, 20, 40, 80]})
    np.testing.assert_allclose(equal_weight_returns(closes, universe((1, "A"), (1, "Z")), DAYS), [0, 0, 1.0, 0])


def test_a_fund_follows_its_closes_from_the_last_one_before_the_span():
    closes = bars_frame({"F": [100, 110, None, 121]})
    whole, later = fund_returns(closes, DAYS), fund_returns(closes, DAYS[2:])
    assert whole is not None
    assert later is not None
    np.testing.assert_allclose(whole, [0, 0.1, 0, 0.1])
    np.testing.assert_allclose(later, [0, 0.1])
    assert fund_returns(bars_frame({"F": [None, 110, 110, 110]}), DAYS) is None
    assert fund_returns(closes.iloc[:0], DAYS) is None
