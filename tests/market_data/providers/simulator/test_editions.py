"""What the simulated files bear: misprints, and files late, missing, corrected and repeated, by switch and seed."""

from datetime import date

import pandas as pd
import pytest

from market_data.prices.bars import checked_bars
from market_data.providers import SessionNotAvailable
from market_data.providers.simulator import EPOCH, EVERY, Incident, Kind, Simulator, chosen_kinds, simulated_sessions
from tests.market_data.providers.simulator.markets import DAY, NEXT, bar_of, quiet

WINDOW = simulated_sessions(DAY, date(2024, 3, 20))
PRINTED = ["open", "high", "low", "close", "prev_close", "volume", "turnover_lakh"]


def test_a_demerger_takes_value_out_and_no_list_says_how_much():
    feed, plain = quiet(Incident("demerger", NEXT, 3, ratio=(65, 100))), quiet()
    assert bar_of(feed, 3, DAY)["close"] == bar_of(plain, 3, DAY)["close"]
    assert bar_of(feed, 3, NEXT)["close"] == pytest.approx(bar_of(plain, 3, NEXT)["close"] * 0.65, abs=0.06)
    events = feed.corporate_actions(DAY)
    assert events["kind"].tolist() == ["demerger"]
    assert events["factor"].isna().all()
    at = feed.sessions(EPOCH, NEXT).index(NEXT)
    assert feed.shares_at(at)[3] == feed.shares_at(at - 1)[3], "a demerger issues no shares of the old company"


def test_a_delisted_share_never_trades_again_and_leaves_the_list():
    feed = quiet(Incident("delisting", NEXT, 3), series="all")
    symbol = feed.market.symbol[3]
    assert symbol in set(feed.bars(DAY).frame["symbol"])
    assert symbol in set(feed.listed_symbols(DAY)["symbol"])
    assert all(symbol not in set(feed.bars(day).frame["symbol"]) for day in WINDOW[1:])
    assert symbol not in set(feed.listed_symbols(NEXT)["symbol"])


def test_a_frozen_bar_is_printed_again_until_the_truth_comes_back():
    feed, plain = quiet(Incident("frozen", NEXT, 3, length=2)), quiet()
    before = bar_of(plain, 3, DAY)
    for day in WINDOW[1:3]:
        assert [bar_of(feed, 3, day)[name] for name in PRINTED] == [before[name] for name in PRINTED]
    assert bar_of(feed, 3, WINDOW[3]) == bar_of(plain, 3, WINDOW[3])


@pytest.mark.parametrize("ratio", [(100, 1), (1, 100)])
def test_a_unit_error_hits_the_prices_and_not_their_turnover(ratio):
    feed, plain = quiet(Incident("unit_error", NEXT, 3, ratio=ratio)), quiet()
    wrong, right = bar_of(feed, 3, NEXT), bar_of(plain, 3, NEXT)
    assert wrong["close"] == pytest.approx(right["close"] * ratio[0] / ratio[1])
    assert wrong["turnover_lakh"] == right["turnover_lakh"]
    assert wrong["prev_close"] == right["prev_close"]
    assert bar_of(feed, 3, WINDOW[2]) == bar_of(plain, 3, WINDOW[2])


def test_a_late_file_is_there_some_sessions_later_only():
    feed = quiet(Incident("late", NEXT, 0, length=2))
    assert NEXT not in feed.sessions(EPOCH, NEXT)
    with pytest.raises(SessionNotAvailable, match="not published"):
        feed.bars(NEXT)
    assert NEXT not in feed.sessions(EPOCH, WINDOW[2])
    assert NEXT in feed.sessions(EPOCH, WINDOW[3])
    pd.testing.assert_frame_equal(feed.bars(NEXT).frame, quiet().bars(NEXT).frame)


def test_a_missing_file_never_comes_though_the_day_was_a_session():
    feed = quiet(Incident("missing", NEXT, 0))
    assert NEXT not in feed.sessions(EPOCH, date(2024, 12, 30))
    assert NEXT in set(feed.market_days(NEXT)["date"])
    with pytest.raises(SessionNotAvailable):
        feed.fingerprint(NEXT)


def test_a_first_edition_is_put_right_later():
    feed, plain = quiet(Incident("correction", NEXT, 0, length=1)), quiet()
    feed.sessions(EPOCH, NEXT)
    first, fingerprint = feed.bars(NEXT).frame, feed.fingerprint(NEXT).sha256
    assert len(first.compare(plain.bars(NEXT).frame)) >= 1
    assert checked_bars(first, session=NEXT)[1].empty, "a wrong figure is no impossible one"
    feed.sessions(EPOCH, WINDOW[2])
    assert feed.fingerprint(NEXT).sha256 != fingerprint
    pd.testing.assert_frame_equal(feed.bars(NEXT).frame, plain.bars(NEXT).frame)


def test_a_repeated_file_bears_the_day_before_under_its_own_date():
    feed = quiet(Incident("repeat", NEXT, 0))
    frame = feed.bars(NEXT).frame
    assert frame["date"].eq(pd.Timestamp(NEXT)).all()
    pd.testing.assert_frame_equal(frame.drop(columns="date"), quiet().bars(DAY).frame.drop(columns="date"))
    pd.testing.assert_frame_equal(feed.bars(WINDOW[2]).frame, quiet().bars(WINDOW[2]).frame)


@pytest.mark.parametrize("kind", sorted(EVERY))
def test_each_kind_has_its_switch_and_moves_no_other(kind: Kind):
    def drawn(*kinds: Kind) -> list[Incident]:
        feed = Simulator(600, 400, 9, own_incidents=kinds)
        return feed.incidents(EPOCH, date(2026, 12, 31))

    alone = drawn(kind)
    assert {one.kind for one in alone} == ({kind} if kind != "listing" else set())
    every = Simulator(600, 400, 9, own_incidents=EVERY)
    assert alone == [one for one in every.incidents(EPOCH, date(2026, 12, 31)) if one.kind == kind]
    listed_later = Simulator(600, 400, 9, own_incidents=(kind,)).market.lists_at.any()
    assert listed_later == (kind == "listing")


def test_words_choose_kinds():
    assert chosen_kinds(["none"]) == frozenset()
    assert chosen_kinds(["usual", "late"]) - chosen_kinds(["usual"]) == {"late"}
    assert chosen_kinds(["every"]) == EVERY
    with pytest.raises(ValueError, match="'earthquake' is no kind of incident; choose among usual"):
        chosen_kinds(["earthquake"])
