"""Twin of market_data/prices/indicators.py."""

import numpy as np
import pandas as pd
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st

from market_data.prices.adjustments import adjusted
from market_data.prices.events import empty_events
from market_data.prices.indicators import INDICATOR_COLUMNS, REGISTRY, WARM_UP_ROWS, indicators, indicators_on
from tests.market_data import real_market
from tests.market_data.frames import bars_of, events_of

END = pd.Timestamp("2030-01-01")


def _frame(closes: list[float], symbol: str = "ABC") -> pd.DataFrame:
    return adjusted(bars_of(closes, symbol), empty_events(), END)


def test_the_registry_names_each_column_once_and_the_frame_has_them_all() -> None:
    assert len(set(INDICATOR_COLUMNS)) == len(INDICATOR_COLUMNS) == 14
    assert list(indicators(_frame([1, 2])).columns) == ["symbol", "date", *INDICATOR_COLUMNS]


def test_a_straight_line_by_hand() -> None:
    """Closes 1 … 60, each up by one: averages lag by (n-1)/2, RSI is 100, MACD of a line is the lags' difference."""
    row = indicators(_frame([float(n) for n in range(1, 61)])).iloc[-1]
    assert row["sma_20"] == pytest.approx(60 - 9.5)
    assert row["sma_50"] == pytest.approx(60 - 24.5)
    assert np.isnan(row["sma_200"])
    assert row["ema_12"] == pytest.approx(60 - 5.5)
    assert row["ema_26"] == pytest.approx(60 - 12.5)
    assert row["macd"] == pytest.approx(12.5 - 5.5)
    assert row["signal_line"] == pytest.approx(7.0)
    assert row["macd_histogram"] == pytest.approx(0.0, abs=1e-9)
    assert row["rsi_14"] == pytest.approx(100.0)
    spread = 2 * np.sqrt((20**2 - 1) / 12)
    assert row["bollinger_upper"] == pytest.approx(50.5 + spread)
    assert row["bollinger_lower"] == pytest.approx(50.5 - spread)


def test_wilders_first_values_by_hand() -> None:
    """Fourteen changes: seven up by 2, seven down by 1; then one up by 2. RSI 100 × 14/21, then smoothed by 1/14."""
    closes = [100.0]
    for _ in range(7):
        closes += [closes[-1] + 2, closes[-1] + 1]
    closes.append(closes[-1] + 2)
    rsi = indicators(_frame(closes))["rsi_14"]
    assert rsi[:14].isna().all()
    assert rsi[14] == pytest.approx(100 * 14 / 21)
    gain, loss = (1.0 * 13 + 2) / 14, (0.5 * 13 + 0) / 14
    assert rsi[15] == pytest.approx(100 * gain / (gain + loss))


def test_average_true_range_by_hand() -> None:
    """High and low 2 apart and no overnight move: ATR is 2, and 2 % of a close of 100."""
    bars = bars_of([100.0] * 16)
    bars["high"], bars["low"] = 101.0, 99.0
    row = indicators(adjusted(bars, empty_events(), END)).iloc[-1]
    assert row["atr_14"] == pytest.approx(2.0)
    assert row["atr_percentage"] == pytest.approx(2.0)


def test_each_is_missing_until_warm() -> None:
    values = indicators(_frame([100 + np.sin(n) for n in range(250)]))
    first = {column: int(values[column].notna().to_numpy().argmax()) + 1 for column in INDICATOR_COLUMNS}
    assert first == {
        "rsi_14": 15, "macd": 34, "signal_line": 34, "macd_histogram": 34, "sma_20": 20, "sma_50": 50, "sma_200": 200,
        "ema_12": 12, "ema_26": 26, "atr_14": 15, "atr_percentage": 15,
        "bollinger_upper": 20, "bollinger_middle": 20, "bollinger_lower": 20,
    }  # fmt: skip


def test_a_missing_price_voids_its_own_row_alone() -> None:
    frame = _frame([100 + np.sin(n) for n in range(60)])
    holed = frame.copy()
    holed.loc[30, "close"] = np.nan
    values = indicators(holed)
    assert values.loc[30, list(INDICATOR_COLUMNS)].isna().all()
    without = indicators(frame.drop(index=30))
    assert values["rsi_14"].iloc[-1] == without["rsi_14"].iloc[-1]
    assert values["sma_50"].notna().iloc[-1]


def test_short_histories_and_empty_frames_give_missing_values() -> None:
    assert indicators(_frame([5.0]))[list(INDICATOR_COLUMNS)].isna().all(axis=None)
    assert indicators(_frame([5.0]).iloc[:0]).empty


def test_a_later_split_leaves_stored_values_as_they_were() -> None:
    closes = [100 + 5 * np.sin(n / 3) for n in range(80)]
    bars = bars_of(closes)
    split_day = bars["date"].iloc[60]
    bars.loc[60:, ["open", "high", "low", "close", "prev_close"]] /= 10
    events = events_of(("ABC", f"{split_day:%Y-%m-%d}", "Face Value Split From Rs 10 To Re 1"))
    before = indicators(adjusted(bars.iloc[:60], events, bars["date"].iloc[59]))
    after = indicators(adjusted(bars, events, END))
    pd.testing.assert_frame_equal(before, after.iloc[:60], rtol=1e-12)
    smooth = indicators(adjusted(bars_of(closes), empty_events(), END)).iloc[-1]
    for entry in REGISTRY:
        for column in entry.columns:
            assert after.iloc[-1][column] == pytest.approx(smooth[column] / (10 if entry.in_rupees else 1), nan_ok=True)


walks = st.lists(st.floats(-0.1, 0.1), min_size=40, max_size=120).map(
    lambda steps: (100 * np.exp(np.cumsum(steps))).tolist()
)


@given(walks)
def test_values_stay_inside_their_bounds(closes: list[float]) -> None:
    values = indicators(_frame(closes)).dropna()
    assert values["rsi_14"].between(0, 100).all()
    assert (values["atr_14"] >= 0).all()
    assert (values["bollinger_lower"] <= values["bollinger_middle"]).all()
    assert (values["bollinger_middle"] <= values["bollinger_upper"]).all()
    for column, window in (("sma_20", 20), ("sma_50", 50)):
        rolling = pd.Series(closes).rolling(window)
        inside = values[column].between(rolling.min()[values.index] * 0.999999, rolling.max()[values.index] * 1.000001)
        assert inside.all()


@given(walks, st.integers(10, 100), st.floats(0.01, 100))
def test_the_future_changes_nothing(closes: list[float], cut: int, garble: float) -> None:
    frame = _frame(closes)
    cut = min(cut, len(frame) - 1)
    garbled = frame.copy()
    garbled.loc[cut:, ["open", "high", "low", "close"]] *= garble
    pd.testing.assert_frame_equal(indicators(frame).iloc[:cut], indicators(frame.iloc[:cut]), rtol=1e-12)
    pd.testing.assert_frame_equal(indicators(frame).iloc[:cut], indicators(garbled).iloc[:cut])


@given(walks, walks)
def test_symbols_do_not_touch_each_other(first: list[float], second: list[float]) -> None:
    both = indicators(pd.concat([_frame(first, "AAA"), _frame(second, "BBB")], ignore_index=True))
    pd.testing.assert_frame_equal(both.iloc[: len(first)], indicators(_frame(first, "AAA")))
    alone = indicators(_frame(second, "BBB"))
    pd.testing.assert_frame_equal(both.iloc[len(first) :].reset_index(drop=True), alone)


def test_an_evening_equals_the_full_computation() -> None:
    rng = np.random.default_rng(1)
    frame = pd.concat(
        [_frame((5 * np.exp(np.cumsum(rng.normal(0, 0.03, 900)))).tolist(), symbol) for symbol in ("AAA", "BBB")],
        ignore_index=True,
    )
    day = frame["date"].iloc[850]
    full = indicators(frame)
    full = full.loc[full["date"] == day].reset_index(drop=True)
    pd.testing.assert_frame_equal(indicators_on(frame, day), full, rtol=1e-9, atol=1e-9)
    assert indicators_on(frame, pd.Timestamp("2000-01-01")).empty


@pytest.mark.real
def test_two_hundred_real_symbols_equal_talibs_own() -> None:
    frame = real_market.adjusted_bars()
    symbols = np.random.default_rng(7).choice(frame["symbol"].unique(), 200, replace=False)
    values = indicators(frame).groupby("symbol")
    for symbol, rows in frame.loc[frame["symbol"].isin(symbols)].groupby("symbol"):
        factor = rows["factor"].to_numpy()
        high, low, close = (rows[c].to_numpy() * factor for c in ("high", "low", "close"))
        macd = talib.MACD(close)
        bands = talib.BBANDS(close, 20)
        own = {
            "rsi_14": talib.RSI(close),
            "macd": macd[0] / factor,
            "signal_line": macd[1] / factor,
            "macd_histogram": macd[2] / factor,
            "sma_20": talib.SMA(close, 20) / factor,
            "sma_50": talib.SMA(close, 50) / factor,
            "sma_200": talib.SMA(close, 200) / factor,
            "ema_12": talib.EMA(close, 12) / factor,
            "ema_26": talib.EMA(close, 26) / factor,
            "atr_14": talib.ATR(high, low, close) / factor,
            "atr_percentage": talib.ATR(high, low, close) / close * 100,
            "bollinger_upper": bands[0] / factor,
            "bollinger_middle": bands[1] / factor,
            "bollinger_lower": bands[2] / factor,
        }
        mine = values.get_group(symbol)
        for column in INDICATOR_COLUMNS:
            np.testing.assert_allclose(mine[column], own[column], rtol=1e-9, atol=1e-9, err_msg=f"{symbol} {column}")


@pytest.mark.real
def test_the_last_rows_of_every_real_symbol_suffice() -> None:
    """Full history against the last WARM_UP_ROWS rows; ₹ differences are measured against the price."""
    frame = real_market.adjusted_bars()
    day = real_market.LAST_SESSION
    full = indicators(frame)
    full = full.loc[full["date"] == day].reset_index(drop=True)
    short = indicators_on(frame, day)
    assert (frame.groupby("symbol").size() > WARM_UP_ROWS).sum() > 1500
    price = frame.loc[frame["date"] == day, "close"].to_numpy()
    for entry in REGISTRY:
        for column in entry.columns:
            scale = price if entry.in_rupees else 1.0
            np.testing.assert_allclose(short[column] / scale, full[column] / scale, rtol=0, atol=1e-10, err_msg=column)
