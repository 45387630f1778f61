"""Prices that the check of the tick lets through are multiples of the share's step, and the nearest multiples pass."""

from dataclasses import replace
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from hypothesis import given
from hypothesis import strategies as st

from portfolio.orders.risk import CHECKS
from stocks.universe.ticks import finest_tick, tick_size
from tests.portfolio.orders.test_risk import BUY, changed

days = st.dates(date(2016, 1, 1), date(2030, 1, 1))
prices = st.decimals("0.01", 100_000, places=3)
closes = st.none() | st.decimals("0.05", 200_000, places=2)


@given(day=days, price=prices, month_close=closes, listed=st.none() | st.sampled_from(["0.01", "0.05", "1"]))
def test_a_price_passes_exactly_when_it_is_a_multiple(day, price, month_close, listed):
    evidence = changed(month_close=month_close, tick_size=None if listed is None else Decimal(listed))
    step = Decimal(listed) if listed else finest_tick(day) if month_close is None else tick_size(day, month_close)

    def passes(amount: Decimal) -> bool:
        return not CHECKS["tick"](replace(BUY, session=day, price=amount), evidence)

    assert passes(price) == (price / step == (price / step).to_integral_value())
    for rounding in (ROUND_FLOOR, ROUND_CEILING):
        nearest = (price / step).to_integral_value(rounding) * step
        assert passes(nearest) == (nearest > 0)
