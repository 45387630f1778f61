"""The price of an order."""

from decimal import Decimal

from brokers.charges import Side
from portfolio.trading.impact import Liquidity, impact, largest_order, price_after_impact

SHARE = Liquidity(turnover=Decimal(10_000_000), volatility=Decimal("0.02"), base=Decimal("0.002"))


def test_impact_by_the_square_root():
    # 0.002 + 0.1 × 0.02 × √(100,000 / 10,000,000) = 0.002 + 0.002 × 0.1 = 0.0022.
    assert impact(SHARE, Decimal(100_000)) == Decimal("0.0022")


def test_prices_are_rounded_to_the_paisa_against_who_trades():
    # 500 shares at 200.01 are 100,005: √0.0100005 = 0.1000025 → s = 0.002200005; × 200.01 = 0.44002….
    assert price_after_impact(Side.BUY, Decimal("200.01"), SHARE, Decimal(500)) == Decimal("200.46")
    assert price_after_impact(Side.SELL, Decimal("200.01"), SHARE, Decimal(500)) == Decimal("199.56")


def test_an_order_is_at_most_a_twentieth_of_the_turnover():
    assert largest_order(SHARE, Decimal(300), whole=True) == 1666
    assert largest_order(SHARE, Decimal(400), whole=False) == Decimal(1250)
