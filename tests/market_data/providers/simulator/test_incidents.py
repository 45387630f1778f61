"""What happens to simulated securities: prices, symbols, series and announcements follow."""

from datetime import date, timedelta

import pandas as pd
import pytest

from market_data.prices.bars import checked_bars
from market_data.providers.simulator import EPOCH, Incident, Simulator, simulated_sessions
from market_data.providers.simulator.incidents import factor_of, placed, purpose_of
from tests.market_data.providers.simulator.markets import DAY, NEXT, bar_of, quiet


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
    listed = [symbol in set(in_eq.bars(day).frame["symbol"]) for day in window[:6]]
    assert listed == [True, False, False, False, True, True]
    in_be = everything.bars(window[2]).frame.set_index("symbol").loc[symbol]
    assert in_be["series"] == "BE"
    assert pd.isna(in_be["delivered_quantity"])
    last = everything.bars(window[3]).frame.set_index("symbol").at[symbol, "close"]
    back = in_eq.bars(window[4]).frame.set_index("symbol").loc[symbol]
    assert back["prev_close"] == last, "after a gap PREV_CLOSE is the truth"


def test_a_suspended_share_has_no_bar_in_any_series():
    window = simulated_sessions(DAY, date(2024, 3, 20))
    feed = quiet(Incident("suspension", window[1], 2, length=2), series="all")
    listed = [feed.market.symbol[2] in set(feed.bars(day).frame["symbol"]) for day in window[:4]]
    assert listed == [True, False, False, True]


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


def test_factors_of_other_incidents_are_one():
    for kind in ("rename", "dividend", "surveillance"):
        assert factor_of(placed([Incident(kind, DAY, 0)], [DAY], 1)[0]) == 1.0
    assert purpose_of(placed([Incident("dividend", DAY, 0, ratio=(1, 1))], [DAY], 1)[0]).startswith("Interim Dividend")
