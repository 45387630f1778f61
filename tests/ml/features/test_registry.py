import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.features.registry import (
    CONTRACT_FEATURES,
    CONTRACT_INDICATORS,
    FEATURES,
    WARM_UP_SESSIONS,
    contract_features,
    features,
    tradable,
)
from tests.ml.markets import garbled_after, market, sessions, without_bars

DAYS = 330
NAMES = list(FEATURES)


@pytest.fixture(scope="module")
def bars():
    """Random gaps, one share back this week after most of a year, one after most of two months."""
    bars = without_bars(market(shares=12, days=DAYS), seed=3)
    position = sessions(DAYS).get_indexer(pd.DatetimeIndex(bars["date"]))
    long = (bars["symbol"] == "S004") & (position > 30) & (position < DAYS - 3)
    short = (bars["symbol"] == "S005") & (position > 280) & (position < DAYS - 1)
    return bars.loc[~long & ~short].reset_index(drop=True)


@pytest.fixture(scope="module")
def whole(bars):
    return features(bars, sessions(DAYS))


def test_one_row_a_bar_in_its_order(bars, whole):
    pd.testing.assert_frame_equal(whole[["symbol", "date"]], bars[["symbol", "date"]])
    assert list(whole.columns) == ["symbol", "date", *NAMES]
    assert not np.isinf(whole[NAMES].to_numpy()).any()


def test_every_feature_is_known_once_warm(whole):
    warm = whole.loc[whole["date"] >= sessions(DAYS)[290], NAMES]
    assert warm.notna().mean().min() > 0.75


@settings(max_examples=15)
@given(st.integers(20, DAYS - 2), st.integers(0, 10**6))
def test_the_future_changes_nothing(bars, whole, position, seed):
    day = sessions(DAYS)[position]
    garbled = features(garbled_after(bars, day, seed), sessions(DAYS))
    cut = features(bars.loc[bars["date"] <= day].reset_index(drop=True), sessions(position + 1))
    past = whole.loc[whole["date"] <= day].reset_index(drop=True)
    pd.testing.assert_frame_equal(garbled.loc[garbled["date"] <= day].reset_index(drop=True), past, check_exact=True)
    pd.testing.assert_frame_equal(cut, past, check_exact=True)


def test_one_evening_equals_the_whole_computation(bars, whole):
    first = DAYS - WARM_UP_SESSIONS
    calendar = sessions(DAYS)[first:]
    recent = bars.loc[bars["date"] >= calendar[0]]
    evening = features(recent, calendar, since=calendar[-1])
    assert len(evening) > 5
    pd.testing.assert_frame_equal(evening, whole.loc[whole["date"] == calendar[-1]], check_exact=True)


def test_a_split_changes_no_feature(bars, whole):
    """The same history as raw prices before a 10-for-1 split, with the factor that undoes it."""
    day = sessions(DAYS)[200]
    split = bars.copy()
    before = ((split["symbol"] == "S003") & (split["date"] < day)).to_numpy()
    for name in ("open", "high", "low", "close", "prev_close", "last_price", "vwap"):
        split.loc[before, name] *= 10
    split.loc[before, "volume"] //= 10
    split.loc[before, "delivered_quantity"] = split.loc[before, "delivered_quantity"] // 10
    split["factor"] = np.where(before, 0.1, 1.0)
    values = features(split, sessions(DAYS))
    # The integer division loses up to one share in ten thousand.
    np.testing.assert_allclose(values[NAMES], whole[NAMES], rtol=1e-3, atol=1e-3)


def test_limits_are_in_rupees_of_the_day():
    bars = market(shares=2, days=40)
    bars["turnover_lakh"] = 60.0
    bars["close"] = np.where(bars["symbol"] == "S000", 21.0, 19.0)
    bars["factor"] = 0.1  # a later split: adjusted prices would be 2.1 and 1.9
    liquid = tradable(bars, sessions(40))
    by_symbol = {symbol: rows.to_numpy() for symbol, rows in liquid.groupby(bars["symbol"])}
    assert not by_symbol["S000"][:9].any()  # fewer than ten sessions of turnover
    assert by_symbol["S000"][9:].all()
    assert not by_symbol["S001"].any()


def test_limits_need_turnover():
    bars = market(shares=1, days=40)
    bars["close"], bars["turnover_lakh"] = 100.0, np.where(np.arange(40) < 20, 60.0, 40.0)
    liquid = tradable(bars, sessions(40)).to_numpy()
    assert liquid[9:29].all()  # ten of 60 and ten of 40 lakh: the median is 50, not above it
    assert not liquid[29:].any()


def test_the_contracts_features_are_all_there():
    bars = market(shares=2, days=3)
    indicators = bars[["symbol", "date"]].assign(**dict.fromkeys(CONTRACT_INDICATORS, 2.0))
    indicators["sma_200"] = [0.0, 4.0, np.nan, 4.0, 4.0, 4.0]
    facts = pd.DataFrame({"symbol": ["S001"], "date": [bars["date"].iloc[1]], "roe": [17.0], "market_cap": [950.0]})
    rows = contract_features(bars, indicators, facts)
    assert list(rows.columns) == ["symbol", "date", *CONTRACT_FEATURES]
    assert len(CONTRACT_FEATURES) == 28
    assert rows["roe"].tolist()[4] == 17.0
    assert rows["roe"].notna().sum() == 1  # a dated fact belongs to its date only
    assert rows["market_cap"].notna().sum() == 1
    assert rows["pe_ratio"].isna().all()
    assert rows["sma_ratio"].isna().tolist() == [True, False, True, False, False, False]
    assert rows["ema_diff"].eq(0).all()
    np.testing.assert_allclose(rows["price_vs_sma50"], bars["close"] / 2)
