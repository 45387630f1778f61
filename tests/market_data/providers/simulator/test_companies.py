"""The simulated securities: distinct, and no fund is taken for a company by its name."""

import numpy as np
import pytest

from market_data.providers.nse.security_kinds import is_worded_as_fund
from market_data.providers.simulator import EPOCH, Simulator
from market_data.providers.simulator.companies import companies, isin


def test_sizes_outside_the_range_are_refused():
    for count in (0, 20_001):
        with pytest.raises(ValueError, match="symbols"):
            Simulator(symbols=count)


def test_names_are_distinct_and_only_funds_are_worded_as_funds():
    market = companies(9000, 1, EPOCH)
    assert len({*market.symbol, *market.new_symbol}) == 18_000
    worded = np.array([is_worded_as_fund(symbol) for symbol in market.symbol])
    assert worded[market.is_fund].all()
    assert not worded[~market.is_fund].any()
    assert max(map(len, market.symbol)) <= 14


def test_an_isin_has_the_check_digit_of_the_norm():
    """INE002A01018 is the ISIN printed in the exchange's own files; its last digit follows from the others."""
    assert isin("INE002A", 0) == "INE002A01018"
    assert isin("INE144J", 1)[:11] == "INE144J0102"
