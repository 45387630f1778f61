"""The simulated market: conformance, the same in every process and however far it runs, and what happens in it."""

import hashlib
import os
import subprocess
import sys
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from market_data.bars import checked_bars
from market_data.providers import SessionNotAvailable
from market_data.providers.security_kinds import worded_as_fund
from market_data.providers.simulator import EPOCH, Incident, Simulator, simulated_sessions
from market_data.providers.simulator.companies import companies, isin
from market_data.providers.simulator.incidents import factor_of, placed, purpose_of
from tests.contracts.provider_conformance import ProviderConformance

DAY = date(2024, 3, 8)
NEXT = date(2024, 3, 11)


@pytest.fixture(scope="module")
def small() -> Simulator:
    return Simulator(symbols=80, sessions=120, seed=5)


def quiet(*incidents: Incident, series: str = "eq") -> Simulator:
    """A market to which nothing happens but what the test says."""
    return Simulator(symbols=40, sessions=60, seed=6, series=series, incidents=incidents, own_incidents=False)


def bar_of(feed: Simulator, place: int, session: date) -> dict[str, Any]:
    """The bar of one security, by its place."""
    frame = feed.bars(session).frame
    names = (feed.market.symbol[place], feed.market.new_symbol[place])
    return dict(frame.loc[frame["symbol"].isin(names)].iloc[0])


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


def test_sizes_outside_the_range_are_refused():
    for count in (0, 4001):
        with pytest.raises(ValueError, match="symbols"):
            Simulator(symbols=count)


def test_names_are_distinct_and_only_funds_are_worded_as_funds():
    market = companies(4000, 1, EPOCH)
    assert len({*market.symbol, *market.new_symbol}) == 8000
    worded = np.array([worded_as_fund(symbol) for symbol in market.symbol])
    assert worded[market.is_fund].all()
    assert not worded[~market.is_fund].any()
    assert max(map(len, market.symbol)) <= 14


def test_an_isin_has_the_check_digit_of_the_norm():
    """INE002A01018 is the ISIN printed in the exchange's own files; its last digit follows from the others."""
    assert isin("INE002A", 0) == "INE002A01018"
    assert isin("INE144J", 1)[:11] == "INE144J0102"


@pytest.mark.parametrize(
    ("kind", "ratio", "factor", "purpose"),
    [
        ("split", (10, 2), 0.2, "Face Value Split (Sub-Division) - From Rs 10/- Per Share To Rs 2/- Per Share"),
        ("split", (2, 1), 0.5, "Face Value Split (Sub-Division) - From Rs 2/- Per Share To Re 1/- Per Share"),
        ("bonus", (1, 1), 0.5, "Bonus 1:1"),
        ("bonus", (1, 3), 0.75, "Bonus 1:3"),
    ],
)
def test_a_split_or_bonus_moves_the_price_and_is_announced(kind, ratio, factor, purpose):
    feed = quiet(Incident(kind, NEXT, 3, ratio=ratio))
    plain = quiet()
    assert bar_of(feed, 3, DAY)["close"] == bar_of(plain, 3, DAY)["close"]
    after, without = bar_of(feed, 3, NEXT), bar_of(plain, 3, NEXT)
    # Rounding to the tick is all that separates the two.
    assert after["close"] == pytest.approx(without["close"] * factor, abs=0.06)
    assert after["prev_close"] == bar_of(plain, 3, DAY)["close"], "the exchange does not adjust PREV_CLOSE"
    events = feed.corporate_actions(DAY)
    assert events["factor"].tolist() == [factor]
    assert events["ex_date"].tolist() == [pd.Timestamp(NEXT)]
    assert events["purpose"].tolist() == [purpose]
    assert feed.corporate_actions(NEXT - timedelta(days=15)).empty
    at = feed.sessions(EPOCH, NEXT).index(NEXT)
    assert feed.shares_at(at)[3] == pytest.approx(feed.shares_at(at - 1)[3] / factor, rel=1e-6)
    changed = feed.isins_at(at)[3] != feed.isins_at(at - 1)[3]
    assert changed == (kind == "split")


def test_a_dividend_is_announced_without_a_factor():
    events = quiet(Incident("dividend", NEXT, 3, ratio=(5, 1))).corporate_actions(DAY)
    assert events["kind"].tolist() == ["dividend"]
    assert events["factor"].isna().all()


def test_a_rename_keeps_price_and_isin_under_a_new_symbol():
    feed = quiet(Incident("rename", NEXT, 4))
    old, new = feed.market.symbol[4], feed.market.new_symbol[4]
    before, after = bar_of(feed, 4, DAY), bar_of(feed, 4, NEXT)
    assert (before["symbol"], after["symbol"]) == (old, new)
    assert old not in set(feed.bars(NEXT).frame["symbol"])
    assert after["prev_close"] == before["close"]
    assert after["isin"] == before["isin"]
    assert feed.symbol_changes(DAY).empty
    assert feed.symbol_changes(NEXT)[["from_symbol", "to_symbol"]].to_numpy().tolist() == [[old, new]]
    assert new in set(feed.statements(NEXT)["symbol"])
    assert old in set(feed.statements(DAY)["symbol"])


def test_a_share_goes_to_be_and_comes_back():
    window = simulated_sessions(DAY, date(2024, 3, 20))
    move = Incident("surveillance", window[1], 2, length=3)
    in_eq, everything = quiet(move), quiet(move, series="all")
    symbol = in_eq.market.symbol[2]
    seen = [symbol in set(in_eq.bars(day).frame["symbol"]) for day in window[:6]]
    assert seen == [True, False, False, False, True, True]
    in_be = everything.bars(window[2]).frame.set_index("symbol").loc[symbol]
    assert in_be["series"] == "BE"
    assert pd.isna(in_be["delivered_quantity"])
    last = everything.bars(window[3]).frame.set_index("symbol").at[symbol, "close"]
    back = in_eq.bars(window[4]).frame.set_index("symbol").loc[symbol]
    assert back["prev_close"] == last, "after a gap PREV_CLOSE is the truth"


def test_a_suspended_share_has_no_bar_in_any_series():
    window = simulated_sessions(DAY, date(2024, 3, 20))
    feed = quiet(Incident("suspension", window[1], 2, length=2), series="all")
    seen = [feed.market.symbol[2] in set(feed.bars(day).frame["symbol"]) for day in window[:4]]
    assert seen == [True, False, False, True]


def test_a_share_is_listed_on_its_first_session():
    feed = quiet(Incident("listing", NEXT, 6))
    symbol = feed.market.symbol[6]
    assert symbol not in set(feed.bars(DAY).frame["symbol"])
    assert symbol not in set(feed.listed_symbols(DAY)["symbol"])
    assert bar_of(feed, 6, NEXT)["prev_close"] > 0
    listed = feed.listed_symbols(NEXT).set_index("symbol")
    assert listed.at[symbol, "listed_on"] == pd.Timestamp(NEXT)


def test_a_revised_session_differs_in_one_bar_and_in_its_fingerprint():
    revised, first = quiet(Incident("revision", DAY, 5)), quiet()
    assert revised.fingerprint(DAY).sha256 != first.fingerprint(DAY).sha256
    assert revised.fingerprint(NEXT).sha256 == first.fingerprint(NEXT).sha256
    differing = revised.bars(DAY).frame.compare(first.bars(DAY).frame)
    assert len(differing) == 1
    assert checked_bars(revised.bars(DAY).frame, session=DAY)[1].empty


def test_an_incident_needs_a_session_and_a_place():
    with pytest.raises(ValueError, match="not a session"):
        placed([Incident("split", date(2024, 1, 26), 0)], simulated_sessions(EPOCH, DAY), 10)
    with pytest.raises(ValueError, match="place 10"):
        placed([Incident("split", DAY, 10)], simulated_sessions(EPOCH, DAY), 10)


def test_own_incidents_happen_about_as_often_as_in_the_real_market():
    feed = Simulator(symbols=2000, seed=9)
    renames = len(feed.symbol_changes(date(2025, 1, 3)))
    assert 100 < renames < 200, "three years of 1,875 shares at 8 in 100,000 a session"
    events = feed.corporate_actions(date(2025, 1, 3))
    assert {"split", "bonus", "dividend"} == set(events["kind"])


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


def test_statements_add_up(small):
    every = small.statements(DAY)
    years = every.loc[every["kind"] == "year"]
    assert (years["total_assets"] - years["equity"] - years["debt"] - years["current_liabilities"]).gt(-0.05).all()
    quarters = every.loc[every["kind"] == "quarter"].assign(end=lambda rows: pd.to_datetime(rows["period_end"]))
    one_year = quarters.loc[quarters["end"].between("2022-06-01", "2023-03-31")].groupby("symbol")["revenue"].sum()
    reported = years.loc[years["period_end"] == date(2023, 3, 31)].set_index("symbol")["revenue"]
    assert np.allclose(one_year.reindex(reported.index), reported, atol=0.05)


def test_factors_of_other_incidents_are_one():
    for kind in ("rename", "dividend", "surveillance"):
        assert factor_of(placed([Incident(kind, DAY, 0)], [DAY], 1)[0]) == 1.0
    assert purpose_of(placed([Incident("dividend", DAY, 0, ratio=(1, 1))], [DAY], 1)[0]).startswith("Interim Dividend")
