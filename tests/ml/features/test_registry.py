import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.features import registry
from ml.features.feature import Feature
from ml.features.registry import FEATURE_GROUPS, FEATURES, WARM_UP_SESSIONS, features
from ml.features.signals import Signals
from tests.ml.markets import garbled_after, groups_of, market, sessions, without_bars

DAYS = 330
NAMES = list(FEATURES)


@pytest.fixture(scope="module")
def bars():
    """Random gaps, one share back this week after most of a year, one after most of two months."""
    bars = without_bars(market(shares=28, days=DAYS), seed=3)
    position = sessions(DAYS).get_indexer(pd.DatetimeIndex(bars["date"]))
    long = (bars["symbol"] == "S004") & (position > 30) & (position < DAYS - 3)
    short = (bars["symbol"] == "S005") & (position > 280) & (position < DAYS - 1)
    return bars.loc[~long & ~short].reset_index(drop=True)


@pytest.fixture(scope="module")
def groups(bars):
    return groups_of(bars)


@pytest.fixture(scope="module")
def whole(bars, groups):
    return features(Signals(bars, sessions(DAYS), groups))


def test_one_row_a_bar_in_its_order(bars, whole):
    pd.testing.assert_frame_equal(whole[["symbol", "date"]], bars[["symbol", "date"]])
    assert list(whole.columns) == ["symbol", "date", *NAMES]
    assert not np.isinf(whole[NAMES].to_numpy()).any()


def test_every_feature_is_known_once_warm(whole):
    warm = whole.loc[whole["date"] >= sessions(DAYS)[290], NAMES]
    assert warm.notna().mean().min() > 0.75


@settings(max_examples=15)
@given(st.integers(20, DAYS - 2), st.integers(0, 10**6))
def test_the_future_changes_nothing(bars, groups, whole, position, seed):
    assert_past_unchanged(bars, groups, whole, position, seed)


def assert_past_unchanged(bars, groups, whole, position, seed):
    day = sessions(DAYS)[position]
    garbled = features(Signals(garbled_after(bars, day, seed), sessions(DAYS), groups))
    cut = features(Signals(bars.loc[bars["date"] <= day].reset_index(drop=True), sessions(position + 1), groups))
    past = whole.loc[whole["date"] <= day].reset_index(drop=True)
    pd.testing.assert_frame_equal(garbled.loc[garbled["date"] <= day].reset_index(drop=True), past, check_exact=True)
    pd.testing.assert_frame_equal(cut, past, check_exact=True)


def planted(monkeypatch, compute):
    feature = Feature(compute, "returns", ("close",), 0, "planted", "never")
    monkeypatch.setattr(registry, "FEATURES", {"planted": feature})


def test_a_planted_look_ahead_is_caught(bars, groups, monkeypatch):
    planted(monkeypatch, lambda s: np.vstack([s.day_return[1:], s.day_return[-1:]]))
    with pytest.raises(AssertionError, match="planted"):
        assert_past_unchanged(bars, groups, features(Signals(bars, sessions(DAYS), groups)), 200, 1)


def test_a_planted_mean_of_the_whole_history_is_caught(bars, groups, monkeypatch):
    planted(monkeypatch, lambda s: s.day_return - np.nanmean(s.day_return))
    with pytest.raises(AssertionError, match="planted"):
        assert_past_unchanged(bars, groups, features(Signals(bars, sessions(DAYS), groups)), 200, 1)


def test_one_evening_equals_the_whole_computation(bars, groups, whole):
    first = DAYS - WARM_UP_SESSIONS
    calendar = sessions(DAYS)[first:]
    recent = bars.loc[bars["date"] >= calendar[0]]
    evening = features(Signals(recent, calendar, groups), since=calendar[-1])
    assert len(evening) > 5
    pd.testing.assert_frame_equal(evening, whole.loc[whole["date"] == calendar[-1]], check_exact=True)


def test_a_split_changes_no_feature(bars, groups, whole):
    assert_split_unseen(bars, groups, whole)


def assert_split_unseen(bars, groups, whole):
    """The same history as raw prices before a 10-for-1 split, with the factor that undoes it."""
    day = sessions(DAYS)[200]
    split = bars.copy()
    before = ((split["symbol"] == "S003") & (split["date"] < day)).to_numpy()
    for name in ("open", "high", "low", "close", "prev_close", "last_price", "vwap"):
        split.loc[before, name] *= 10
    split.loc[before, "volume"] //= 10
    split.loc[before, "delivered_quantity"] = split.loc[before, "delivered_quantity"] // 10
    split["factor"] = np.where(before, 0.1, 1.0)
    values = features(Signals(split, sessions(DAYS), groups))
    names = list(whole.columns[2:])
    # The integer division loses up to one share in ten thousand.
    np.testing.assert_allclose(values[names], whole[names], rtol=1e-3, atol=1e-3)


def test_a_split_that_is_still_to_come_changes_no_feature(bars, groups, whole):
    assert_later_split_unseen(bars, groups, whole)


def assert_later_split_unseen(bars, groups, whole):
    """The same raw bars as they are known once a 10-for-1 split has followed them."""
    values = features(Signals(bars.assign(factor=np.where(bars["symbol"] == "S003", 0.1, 1.0)), sessions(DAYS), groups))
    names = list(whole.columns[2:])
    # Volumes enter as the logarithm of one more.
    np.testing.assert_allclose(values[names], whole[names], rtol=1e-3, atol=1e-3)


def test_a_planted_level_that_shows_a_later_split_is_caught(bars, groups, monkeypatch):
    planted(monkeypatch, lambda s: np.log(s.close))
    with pytest.raises(AssertionError, match="Mismatched"):
        assert_later_split_unseen(bars, groups, features(Signals(bars, sessions(DAYS), groups)))


def test_a_planted_level_that_jumps_with_a_split_is_caught(bars, groups, monkeypatch):
    planted(monkeypatch, lambda s: np.log(s.raw("close")))
    with pytest.raises(AssertionError, match="Mismatched"):
        assert_split_unseen(bars, groups, features(Signals(bars, sessions(DAYS), groups)))


RAW = ("open", "high", "low", "close", "prev_close", "vwap", "volume", "turnover_lakh", "trades", "delivered_quantity")
# It counts bars, whatever is in them.
STRETCHABLE = [name for name in NAMES if name != "days_traded"]


def stretched(bars: pd.DataFrame, column: str, rows: np.ndarray) -> pd.DataFrame:
    """Change a column of some rows, by a factor of its own each."""
    values = bars[column].to_numpy(dtype=np.float64, na_value=np.nan).copy()
    values[rows] *= np.random.default_rng([*column.encode()]).lognormal(sigma=2.0, size=int(rows.sum()))
    whole = column in ("volume", "trades", "delivered_quantity")
    return bars.assign(**{column: (np.round(values) if whole else values).astype(bars[column].dtype.name.lower())})


def test_a_feature_depends_on_its_inputs_and_on_nothing_else(bars, groups, whole):
    rows = np.ones(len(bars), dtype=bool)
    changed: dict[str, set[str]] = {column: set() for column in (*RAW, "sector", "industry")}
    variants = {column: (stretched(bars, column, rows), groups) for column in RAW}
    for column in ("sector", "industry"):
        variants[column] = (bars, groups.assign(**{column: groups[column].to_numpy()[::-1]}))
    for column, (frame, members) in variants.items():
        values = features(Signals(frame, sessions(DAYS), members))
        changed[column] = {name for name in NAMES if not values[name].equals(whole[name])}
    for name in STRETCHABLE:
        assert {column for column, names in changed.items() if name in names} == set(FEATURES[name].inputs), name


def test_a_feature_reaches_back_as_far_as_it_says():
    """On a market without gaps: bars older than the window change nothing, its oldest bar does."""
    bars = market(shares=28, days=DAYS)
    calendar, groups = sessions(DAYS), groups_of(bars)
    today = features(Signals(bars, calendar, groups), since=calendar[-1])[NAMES]
    position = calendar.get_indexer(pd.DatetimeIndex(bars["date"]))
    for window in sorted({feature.window_sessions for feature in FEATURES.values()}):
        oldest = DAYS - 1 - window
        for first, last, changes in ((0, oldest - 1, False), (oldest, oldest, True)):
            rows = (position >= first) & (position <= last)
            frame = bars
            for column in RAW:
                frame = stretched(frame, column, rows)
            values = features(Signals(frame, calendar, groups), since=calendar[-1])[NAMES]
            for name in (name for name in STRETCHABLE if FEATURES[name].window_sessions == window):
                assert (not values[name].equals(today[name])) is changes, (name, window)


def test_days_traded_counts_the_bars_of_a_year():
    bars = market(shares=7, days=DAYS)
    calendar = sessions(DAYS)
    for age, count in ((251, 251), (252, 252)):
        thinned = bars.loc[(bars["symbol"] != "S000") | (bars["date"] != calendar[-1 - age])].reset_index(drop=True)
        values = features(Signals(thinned, calendar, groups_of(bars)), since=calendar[-1]).set_index("symbol")
        assert values.loc["S000", "days_traded"] == count


def test_each_feature_belongs_to_a_group_of_the_report():
    assert sorted(name for names in FEATURE_GROUPS.values() for name in names) == sorted(NAMES)
    assert list(FEATURE_GROUPS) == ["returns", "day", "risk", "levels", "liquidity", "delivery", "sector", "industry"]
