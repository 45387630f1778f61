"""Impact in the simulation: the price of an order, its largest size, and what is not known."""

from decimal import Decimal
from itertools import pairwise

import numpy as np

from portfolio.backtest.panel import Panel
from tests.portfolio.backtest.markets import Day, bars_frame, orders, panel, simulated, weekdays

CALM = [Day(100, lakh=2000.0)] * 4


def swinging(sessions: int, lakh: float, price: float = 100.0) -> list[Day]:
    """Closes a price and 1 % above it in turn; opens at the price."""
    return [Day(price, price * (1.01 if n % 2 else 1.0), lakh=lakh) for n in range(sessions)]


def test_an_order_in_a_calm_share_pays_the_base_and_takes_the_most_that_fits():
    # Median turnover 2000 lakh = ₹20 crore: base 0.10 %, no volatility. 10 × 100.10 = 1001 > 1000: 9.
    assert orders(simulated({"A": CALM}, d2="A", impact=True)) == ["3 buy 9 A @ 100.10"]
    # Not above ₹10 crore: 0.20 %.
    below = simulated({"A": [Day(100, lakh=1000.0)] * 4}, d2="A", impact=True)
    assert orders(below) == ["3 buy 9 A @ 100.20"]


def test_the_price_follows_the_square_root_of_the_order():
    # Median turnover ₹10,000. Returns of sessions 1 … 5: 0.01, 1/1.01 − 1 in turn, σ = 0.0109002. ⌊500 / 100⌋ = 5 do
    # not fit above 100; 4 do: s = 0.002 + 0.1 × 0.0109002 × √(400 / 10000) = 0.002218, 100.2218 → 100.23.
    days = swinging(9, lakh=0.1)
    result = simulated({"A": days, "B": days}, capital="500", d5="A", d6="B", impact=True)
    # The sale of session 7: σ of the six returns is 0.0109002 again, 100 − 0.2218 = 99.7782 → 99.77.
    assert orders(result)[:2] == ["6 buy 4 A @ 100.23", "7 sell 4 A @ 99.77"]


def test_an_order_is_cut_and_what_is_left_of_a_sale_waits():
    # 5 % of ₹1 lakh is ₹5000: 50 shares an order; the purchase has no second try, the sale goes on.
    thin = [Day(100, lakh=1.0)] * 8
    bought = simulated({"A": thin}, capital="10000", d2="A", impact=True)
    assert orders(bought) == ["3 buy 50 A @ 100.20"]
    dry = [Day(100, lakh=1.0)] * 4 + [Day(100, lakh=0.5)] * 30
    sold = simulated({"A": dry, "B": [1.0] * 34}, capital="10000", d2="A", d15="B", impact=True)
    # The median of the twenty sessions before has fallen to 0.5 lakh: ₹2500, 25 shares a session.
    assert [order for order in orders(sold) if " A @" in order] == [
        "3 buy 50 A @ 100.20",
        "16 sell 25 A @ 99.80",
        "17 sell 25 A @ 99.80",
    ]


def test_nothing_is_traded_of_which_turnover_or_two_returns_are_not_known():
    assert orders(simulated({"A": CALM}, d0="A", impact=True)) == []
    assert orders(simulated({"A": CALM}, d1="A", impact=True)) == []
    assert orders(simulated({"A": CALM}, d2="A", impact=True)) == ["3 buy 9 A @ 100.10"]
    assert orders(simulated({"A": [Day(100, lakh=0.0)] * 4}, d2="A", impact=True)) == []


def test_parts_of_shares_are_bought_after_impact_too():
    result = simulated({"A": CALM}, d2="A", impact=True, fractional=True)
    assert result.trades[0].price == Decimal("100.10")
    assert abs(result.trades[0].quantity - 1000 / Decimal("100.10")) < Decimal("1e-20")


def test_volatility_and_turnover_are_of_the_twenty_sessions_before():
    random = np.random.default_rng(3)
    closes = np.round(100 * np.exp(np.cumsum(random.normal(0, 0.02, 40))), 2)
    lakhs = np.round(random.uniform(500, 900, 40), 2)
    days = [
        None if n in (25, 30) else Day(float(closes[n]), factor=0.5 if n < 28 else 1.0, lakh=float(lakhs[n]))
        for n in range(40)
    ]
    known = [n for n in range(40) if days[n] is not None]
    adjusted = {n: closes[n] * (0.5 if n < 28 else 1.0) for n in known}
    returns = {n: adjusted[n] / adjusted[before] - 1 for before, n in pairwise(known)}
    liquidity = panel({"A": days}).liquidity("A", 39)
    window = [n for n in known if 19 <= n < 39]
    assert liquidity is not None
    assert len(window) == 18
    assert np.isclose(float(liquidity.volatility), np.std([returns[n] for n in window], ddof=1), rtol=1e-12)
    assert np.isclose(float(liquidity.turnover), np.median([lakhs[n] for n in window]) * 100_000, rtol=1e-12)
    assert liquidity.base == Decimal("0.002")


def test_the_middle_of_two_turnovers_is_exact():
    # The double of (10.61 + 11.51) / 2 is 11.059999999999999 lakh; 5 % of ₹11,06,000 at 87.50 are 632 shares.
    days = [Day(87.5, lakh=lakh) for lakh in (10.61, 11.51, 10.61, 11.51, 9.0)]
    assert orders(simulated({"A": days}, capital="1000000", d3="A", impact=True))[0].startswith("4 buy 632 A")


def test_what_is_known_of_a_share_leaves_out_its_own_session():
    frame = bars_frame({"A": swinging(30, lakh=700.0)})
    changed = frame.copy()
    changed.loc[29, ["adj_close", "turnover_lakh"]] = (500.0, 9.0)
    days = weekdays(30)
    assert Panel(frame, days).liquidity("A", 29) == Panel(changed, days).liquidity("A", 29)
