"""The prices of the simulated market: steps, ranges, clustering, fat tails, and a mild effect to be found."""

from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from market_data.providers.simulator import EPOCH, simulated_sessions
from market_data.providers.simulator.companies import Companies, companies
from market_data.providers.simulator.incidents import Placed
from market_data.providers.simulator.market import IN_BE, IN_EQ, NOT_TRADED, History, history, price_factors, status

DAYS = simulated_sessions(EPOCH, date(2025, 6, 30))
SPLIT = Placed("split", 30, 0, 0, (10, 2))


@pytest.fixture(scope="module")
def market() -> Companies:
    return companies(400, 11, EPOCH)


@pytest.fixture(scope="module")
def past(market: Companies) -> History:
    return history(market, 11, DAYS, [])


def closes(past: History) -> npt.NDArray[np.float64]:
    logs: npt.NDArray[np.float64] = np.log(past.prices["close"].astype("float64"))
    return logs


def test_prices_lie_inside_the_range_and_are_positive(past):
    low, high = past.prices["low"], past.prices["high"]
    assert (low > 0).all()
    for column in ("open", "close", "last_price"):
        assert ((low <= past.prices[column]) & (past.prices[column] <= high)).all()
    assert (past.volume > 0).all()
    assert (past.delivered <= past.volume).all()
    assert (past.trades >= 1).all()


def test_prices_keep_to_the_step_of_their_day(market, past):
    at = next(number for number, day in enumerate(DAYS) if day >= date(2024, 6, 10))
    shares = ~market.is_fund
    for column in ("open", "high", "low", "close"):
        paise = past.prices[column][:, shares]
        assert (paise[:at] % 5 == 0).all(), "five paise for every share until June 2024"
        dear = paise[at:] >= 25_000
        assert (paise[at:][dear] % 5 == 0).all()
        assert (paise[at:][~dear] % 5 != 0).any()
    assert (past.prices["close"][:, market.is_fund] % 5 != 0).any(), "a paisa for funds"


def test_the_previous_close_is_the_last_one_traded(past):
    last = np.zeros(past.status.shape[1])
    for at in range(200):
        traded = past.status[at] != NOT_TRADED
        known = traded & (last > 0)
        assert (past.prices["prev_close"][at][known] == last[known]).all()
        last = np.where(traded, past.prices["close"][at], last)


def test_calm_and_rough_days_come_in_clusters_and_tails_are_fat(market, past):
    returns = np.diff(closes(past), axis=0)[:, ~market.is_fund]
    size = np.abs(returns - returns.mean(axis=0))
    clustering = np.mean([np.corrcoef(size[1:, place], size[:-1, place])[0, 1] for place in range(size.shape[1])])
    assert 0.03 < clustering < 0.5
    assert pd.DataFrame(returns).kurt().median() > 0.5
    assert 0.012 < np.median(returns.std(axis=0)) < 0.04


def test_shares_of_one_sector_move_together_more_than_others(market, past):
    together = pd.DataFrame(np.diff(closes(past), axis=0)[:, ~market.is_fund]).corr().to_numpy()
    sector = market.sector[~market.is_fund]
    same = (sector[:, None] == sector[None, :]) & ~np.eye(len(sector), dtype=bool)
    assert together[same].mean() > together[~same].mean() + 0.01


def test_there_is_a_mild_effect_to_be_found(market, past):
    """Momentum of 120 sessions without the last ten, against the ten sessions from the next open on."""
    close = pd.DataFrame(closes(past)[:, ~market.is_fund])
    opens = pd.DataFrame(np.log(past.prices["open"].astype("float64"))[:, ~market.is_fund])
    momentum, forward = close.shift(10) - close.shift(120), opens.shift(-11) - opens.shift(-1)
    correlation = momentum.corrwith(forward, axis=1, method="spearman").mean()
    assert 0.005 < correlation < 0.12


def test_an_incident_touches_no_other_security_and_no_earlier_session(market, past):
    split = history(market, 11, DAYS[:40], [SPLIT])
    for column, prices in split.prices.items():
        assert (prices[:, 1:] == past.prices[column][:40, 1:]).all()
        assert (prices[:30, 0] == past.prices[column][:30, 0]).all()
    assert (split.volume[31:, 0] > 4 * past.volume[31:40, 0]).all()


def test_factors_of_one_day_multiply():
    bonus = Placed("bonus", 30, 0, 0, (1, 1))
    assert price_factors(40, [SPLIT, bonus]) == {30: {0: pytest.approx(0.1)}}
    assert price_factors(30, [SPLIT]) == {}


def test_a_suspension_outweighs_surveillance(market):
    states = status(market, 6, [Placed("surveillance", 1, 0, 4, (1, 1)), Placed("suspension", 2, 0, 2, (1, 1))])
    listed = IN_EQ if market.lists_at[0] == 0 else NOT_TRADED
    assert states[:, 0].tolist() == [listed, IN_BE, NOT_TRADED, NOT_TRADED, IN_BE, listed]
