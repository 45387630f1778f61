"""The simulated market: conformance, and the same in every process and however far it runs."""

import hashlib
import os
import subprocess
import sys
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from market_data.prices.bars import checked_bars
from market_data.providers import SessionNotAvailable
from market_data.providers.simulator import EPOCH, Simulator, simulated_sessions
from tests.contracts.provider_conformance import ProviderConformance
from tests.market_data.providers.simulator.markets import DAY


@pytest.fixture(scope="module")
def small() -> Simulator:
    return Simulator(symbols=80, sessions=120, seed=5)


class TestConformance(ProviderConformance):
    @pytest.fixture
    def feed(self, small):
        return small

    @pytest.fixture
    def as_of(self):
        return DAY

    def test_no_bar_is_refused(self, feed):
        for session in feed.sessions(None, DAY):
            bars, rejects = checked_bars(feed.bars(session).frame, session=session)
            assert rejects.empty
            assert len(bars) > 60


@pytest.mark.long
def test_another_process_makes_the_same_market(small):
    script = (
        "import hashlib; from datetime import date; from market_data.providers.simulator import Simulator;"
        "s = Simulator(symbols=80, sessions=120, seed=5);"
        "print(hashlib.sha256(''.join(s.fingerprint(d).sha256 for d in s.sessions(None, date(2024, 3, 8)))"
        ".encode()).hexdigest())"
    )
    environment = os.environ | {"PYTHONHASHSEED": "77"}
    there = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    here = hashlib.sha256("".join(small.fingerprint(day).sha256 for day in small.sessions(None, DAY)).encode())
    assert there.stdout.strip() == here.hexdigest()


def test_later_sessions_change_no_earlier_one(small):
    """What was asked for before, and how far the market already ran, must not show."""
    far = Simulator(symbols=80, sessions=120, seed=5)
    far.bars(date(2025, 6, 30))
    for session in simulated_sessions(date(2024, 2, 20), DAY):
        pd.testing.assert_frame_equal(far.bars(session).frame, small.bars(session).frame)
    pd.testing.assert_frame_equal(far.listed_symbols(DAY), small.listed_symbols(DAY))
    pd.testing.assert_frame_equal(far.statements(DAY), small.statements(DAY))
    pd.testing.assert_frame_equal(far.corporate_actions(DAY), small.corporate_actions(DAY))


def test_another_seed_is_another_market(small):
    other = Simulator(symbols=80, seed=6).bars(DAY).frame
    assert not np.allclose(other["close"].head(20), small.bars(DAY).frame["close"].head(20))


def test_without_a_start_the_last_sessions_are_offered(small):
    offered = small.sessions(None, DAY)
    assert len(offered) == 120
    assert offered == simulated_sessions(offered[0], DAY)
    assert small.sessions(None, EPOCH - timedelta(days=1)) == []


def test_the_calendar_reaches_beyond_the_day_asked_for(small):
    days = small.market_days(DAY)
    assert days["date"].max() >= date(2025, 12, 29)
    assert date(2024, 1, 26) not in set(days["date"])
    with pytest.raises(SessionNotAvailable, match="2024-01-26"):
        small.bars(date(2024, 1, 26))


def test_funds_have_no_facts_and_no_statements(small):
    funds = set(small.market.symbol[small.market.is_fund])
    assert funds
    assert not funds & set(small.facts_on(DAY)["symbol"])
    assert not funds & set(small.statements(DAY)["symbol"])


def test_facts_follow_from_shares_and_close(small):
    facts = small.facts_on(DAY).merge(small.bars(DAY).frame, on="symbol")
    cap = facts["issue_size"] * facts["close"] / 1e7
    assert np.allclose(facts["market_cap_crores"], cap, atol=1e-3)
    fridays = [day for day in small.sessions(None, DAY) if not small.daily_facts(day).empty]
    assert all(day.weekday() == 4 or not simulated_sessions(day + timedelta(1), day + timedelta(1)) for day in fridays)
