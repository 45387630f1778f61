"""An account's orders at the edge of what rounding leaves."""

from decimal import Decimal

from portfolio.trading.account import Account, Quote, Rules
from portfolio.trading.bars import Bar
from portfolio.trading.sizing import Sizing
from tests.portfolio.backtest.markets import START

QUOTE = Quote(Bar(Decimal(3), Decimal(4), Decimal(2), Decimal(3), Decimal(1), Decimal(3)), None, None)


def account(cash: str) -> Account:
    rules = Rules(Sizing(whole=False, reserve=False), broker=None, impact=False, settles=True)
    return Account(rules, Decimal(cash))


def test_what_rounding_leaves_over_buys_nothing():
    left = account("1e-20")
    left.begin_session()
    left.begin_purchases(START)
    assert left.buy("A", Decimal(5), QUOTE, START, at=1) is True
    assert (left.day, left.holdings, left.bought) == ([], {}, {})


def test_what_rounding_leaves_over_is_not_sold_down():
    holder = account("9")
    holder.begin_session()
    holder.begin_purchases(START)
    holder.buy("A", Decimal(3), QUOTE, START, at=1)
    holder.sell("A", Decimal("1e-22"), QUOTE, START, at=2)
    assert [trade.quantity for trade in holder.day] == [3]
    assert holder.holdings == {"A": 3}
