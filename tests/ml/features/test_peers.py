import numpy as np
import pandas as pd
import pytest

from ml.features.groups import Grouping
from ml.features.peers import PEERS
from ml.features.registry import FEATURES, features
from ml.features.signals import Signals
from tests.ml.markets import market, no_groups, sessions

DAYS = 40
PEER_NAMES = list(PEERS)


@pytest.fixture(scope="module")
def bars():
    return market(shares=15, days=DAYS)


def sectors(bars, sizes, names="ABCDE"):
    symbols = sorted(set(bars["symbol"]))
    sector = np.repeat(list(names[: len(sizes)]), sizes)
    return pd.DataFrame({"symbol": symbols[: len(sector)], "sector": sector, "industry": sector})


def day_of(frame, day=-1):
    return frame.loc[frame["date"] == sessions(DAYS)[day]].reset_index(drop=True)


def test_there_are_twenty_besides_the_forty_of_the_share_alone():
    assert len(PEERS) == 20
    assert len(FEATURES) == 60
    assert list(FEATURES)[40:] == PEER_NAMES


def test_one_day_by_hand(bars):
    """Eight shares of one sector, seven of another: five-session moves less means, means less the market's."""
    rows = day_of(features(Signals(bars, sessions(DAYS), sectors(bars, (8, 7)))))
    close = bars.pivot(index="date", columns="symbol", values="close").to_numpy()
    turnover = bars.pivot(index="date", columns="symbol", values="turnover_lakh").to_numpy()[-20:].mean(axis=0)
    move = np.log(close[-1] / close[-6])
    first = slice(0, 8)
    np.testing.assert_allclose(rows["sector_relative_5"][first], move[first] - move[first].mean(), atol=1e-9)
    np.testing.assert_allclose(rows["sector_excess_5"][first], move[first].mean() - move.mean(), atol=1e-9)
    weighted = np.average(move[first], weights=turnover[first])
    np.testing.assert_allclose(rows["sector_lead_5"][first], weighted - move[first], atol=1e-6)
    own = rows["volatility_60"]
    np.testing.assert_allclose(rows["sector_volatility"][first], own[first] - own[first].mean(), atol=1e-9)
    np.testing.assert_array_equal(rows["industry_relative_5"], rows["sector_relative_5"])  # here the same groups


def test_one_huge_move_does_not_drag_its_group(bars):
    symbol, day = "S000", sessions(DAYS)[-1]
    huge = bars.copy()
    huge.loc[(bars["symbol"] == symbol) & (bars["date"] == day), "close"] *= 1000  # a log return of 6.9
    rows = day_of(features(Signals(huge, sessions(DAYS), sectors(huge, (15,)))))
    assert rows["sector_relative_1"].max() < 1.5
    assert rows["sector_relative_1"].median() > -0.2


def test_without_sectors_a_share_is_measured_against_the_market(bars):
    none = features(Signals(bars, sessions(DAYS), no_groups()))
    single = features(Signals(bars, sessions(DAYS), sectors(bars, (15,))))
    pd.testing.assert_frame_equal(none, single, check_exact=True)
    assert (none[[name for name in PEER_NAMES if "_excess_" in name]].dropna() == 0).all(axis=None)


def test_an_unknown_sector_is_as_known_as_any(bars):
    assert_missing_tells_nothing(bars)
    some = features(Signals(bars, sessions(DAYS), sectors(bars, (8,))))
    every = features(Signals(bars, sessions(DAYS), sectors(bars, (8, 7))))
    unknown, known = (day_of(frame).loc[8:, "sector_relative_5"].to_numpy() for frame in (some, every))
    shift = unknown - known
    np.testing.assert_allclose(shift, shift[0], atol=1e-12)  # from another mean, and that is all


def assert_missing_tells_nothing(bars):
    """Which figures are missing does not depend on whether the lists of today know the share: most of those died."""
    some = features(Signals(bars, sessions(DAYS), sectors(bars, (8,))))
    every = features(Signals(bars, sessions(DAYS), sectors(bars, (8, 7))))
    assert some.isna().equals(every.isna())


def test_a_planted_missing_that_tells_who_died_is_caught(bars, monkeypatch):
    def means(self, values, weights=None):
        return np.where(self.codes >= 0, values, np.nan)

    monkeypatch.setattr(Grouping, "means", means)
    with pytest.raises(AssertionError):
        assert_missing_tells_nothing(bars)


def test_sectors_of_five_are_too_small_to_matter(bars):
    small = features(Signals(bars, sessions(DAYS), sectors(bars, (5, 5, 5))))
    pd.testing.assert_frame_equal(small, features(Signals(bars, sessions(DAYS), no_groups())), check_exact=True)


def test_a_day_with_three_shares(bars):
    last = sessions(DAYS)[-1]
    thin = bars.loc[(bars["date"] < last) | (bars["symbol"] <= "S002")].reset_index(drop=True)
    rows = day_of(features(Signals(thin, sessions(DAYS), sectors(thin, (8, 7)))))
    assert len(rows) == 3
    assert rows["sector_relative_1"].sum() == pytest.approx(0, abs=1e-9)  # against the three
    assert (rows["sector_excess_5"] == 0).all()
    assert not np.isinf(rows[list(FEATURES)]).any(axis=None)


def test_a_share_that_lists_tomorrow_changes_nothing_today(bars):
    last = sessions(DAYS)[-1]
    groups = sectors(bars, (8, 7))
    newcomer = bars.loc[(bars["symbol"] == "S003") & (bars["date"] == last)].assign(symbol="AAA", close=5.0)
    with_newcomer = pd.concat([newcomer, bars], ignore_index=True)
    listed = pd.concat([pd.DataFrame({"symbol": ["AAA"], "sector": "A", "industry": "NEW"}), groups])
    before = features(Signals(bars, sessions(DAYS), groups))
    after = features(Signals(with_newcomer, sessions(DAYS), listed))
    past = (with_newcomer["date"] < last) & (with_newcomer["symbol"] != "AAA")
    pd.testing.assert_frame_equal(
        after.loc[past].reset_index(drop=True),
        before.loc[bars["date"] < last].reset_index(drop=True),
        check_exact=True,
    )
    first = after.loc[with_newcomer["symbol"] == "AAA"].iloc[0]
    assert np.isnan(first["sector_relative_5"])
    assert np.isfinite(first["sector_excess_5"])  # its peers have a history, it has none


def test_a_price_of_zero_is_no_trade(bars):
    last = sessions(DAYS)[-1]
    broken = bars.copy()
    broken.loc[(bars["symbol"] == "S000") & (bars["date"] == last), ["open", "high", "low", "close"]] = 0.0
    rows = day_of(features(Signals(broken, sessions(DAYS), sectors(bars, (8, 7)))))
    assert rows.loc[0, PEER_NAMES].isna().all()
    without = bars.loc[(bars["symbol"] != "S000") | (bars["date"] < last)].reset_index(drop=True)
    rest = day_of(features(Signals(without, sessions(DAYS), sectors(bars, (8, 7)))))
    pd.testing.assert_frame_equal(rows.loc[1:, PEER_NAMES].reset_index(drop=True), rest[PEER_NAMES], check_exact=True)


def test_signals_of_a_share_that_does_not_trade_leave_it_out(bars):
    last = sessions(DAYS)[-1]
    thin = bars.loc[(bars["date"] < last) | (bars["symbol"] > "S000")].reset_index(drop=True)
    signals = Signals(thin, sessions(DAYS), sectors(bars, (15,)))
    assert np.isfinite(signals.excess_volatility[-1, 0])
    assert np.isnan(PEERS["sector_volatility"].compute(signals)[-1, 0])
