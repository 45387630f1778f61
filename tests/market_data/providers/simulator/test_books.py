"""Statements of the simulated companies add up and come out late."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from market_data.providers.simulator import Simulator
from tests.market_data.providers.simulator.markets import DAY


@pytest.fixture(scope="module")
def small() -> Simulator:
    return Simulator(symbols=80, seed=5)


def test_statements_add_up(small):
    every = small.statements(DAY)
    years = every.loc[every["kind"] == "year"]
    assert (years["total_assets"] - years["equity"] - years["debt"] - years["current_liabilities"]).gt(-0.05).all()
    quarters = every.loc[every["kind"] == "quarter"].assign(end=lambda rows: pd.to_datetime(rows["period_end"]))
    one_year = quarters.loc[quarters["end"].between("2022-06-01", "2023-03-31")].groupby("symbol")["revenue"].sum()
    reported = years.loc[years["period_end"] == date(2023, 3, 31)].set_index("symbol")["revenue"]
    assert np.allclose(one_year.reindex(reported.index), reported, atol=0.05)


def test_statements_come_out_within_the_time_allowed(small):
    published = small.statements(DAY)
    delay = (pd.to_datetime(published["published_on"]) - pd.to_datetime(published["period_end"])).dt.days
    assert delay.groupby(published["kind"]).max().le(pd.Series({"quarter": 45, "year": 60})).all()
    assert delay.min() > 10
    assert not published["published_assumed"].any()


def test_what_is_published_later_changes_nothing_published_before(small):
    later = small.statements(date(2025, 8, 1))
    before = later.loc[later["published_on"] <= DAY].reset_index(drop=True)
    pd.testing.assert_frame_equal(before, small.statements(DAY))
