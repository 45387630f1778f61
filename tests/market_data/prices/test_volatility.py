"""Twin of market_data/prices/volatility.py."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market_data.prices.adjustments import adjusted
from market_data.prices.events import empty_events
from market_data.prices.volatility import METRIC_COLUMNS, MIN_RETURNS, daily_returns, metrics
from tests.market_data import real_market
from tests.market_data.frames import bars_of, events_of, number

END = pd.Timestamp("2030-01-01")


def _market(count: int = 25, days: int = 300, seed: int = 3) -> pd.DataFrame:
    """Shares with betas 0.5 … 1.5 to one common return, and noise."""
    rng = np.random.default_rng(seed)
    common = rng.normal(0, 0.01, days)
    frames = []
    for at, beta in enumerate(np.linspace(0.5, 1.5, count)):
        steps = beta * common + rng.normal(0, 0.005, days)
        frames.append(bars_of((100 * np.exp(np.cumsum(steps))).tolist(), f"S{at:02d}", volume=1000 * (at + 1)))
    return adjusted(pd.concat(frames, ignore_index=True), empty_events(), END)


def test_returns_by_hand_over_a_split_a_gap_and_a_first_row() -> None:
    """First row: none. Split one for two at 102 → 52: 52/51. Gap: close over PREV_CLOSE, whatever the last row was."""
    bars = bars_of([100, 102, 52, 60], dates=["2024-01-01", "2024-01-02", "2024-01-03", "2024-03-01"])
    bars.loc[2, ["prev_close", "open"]] = [102.0, 51.0]
    bars.loc[3, ["prev_close", "open"]] = [59.0, 59.0]
    frame = adjusted(bars, events_of(("ABC", "2024-01-03", "Bonus 1:1")), END)
    expected = [np.nan, np.log(1.02), np.log(52 / 51), np.log(60 / 59)]
    assert daily_returns(frame).tolist() == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(("previous", "opening"), [(200.0, 101.0), (100.0, 101.0)])
def test_an_ex_date_in_or_at_the_end_of_a_gap(previous: float, opening: float) -> None:
    """Back after weeks: PREV_CLOSE 200 is before a split on this very day, 100 is after one during the gap."""
    bars = bars_of([180.0, 102.0], dates=["2024-01-01", "2024-03-01"])
    bars.loc[1, ["prev_close", "open"]] = [previous, opening]
    frame = adjusted(bars, events_of(("ABC", "2024-03-01", "Bonus 1:1")), END)
    assert daily_returns(frame).iloc[1] == pytest.approx(np.log(1.02))


def test_a_suspension_is_no_return_of_one_session() -> None:
    bars = bars_of([100.0, 60.0], dates=["2024-01-01", "2025-01-01"])
    assert daily_returns(adjusted(bars, empty_events(), END)).isna().all()


def test_volatility_by_hand() -> None:
    """Returns of +1 % and -1 % in turn: standard deviation 0.01·sqrt(n/(n-1)), a year has 252 sessions."""
    closes = (100 * np.exp(np.cumsum([0.0] + [0.01, -0.01] * 126))).tolist()
    table = metrics(adjusted(bars_of(closes), empty_events(), END), END)
    expected = 0.01 * np.sqrt(252 / 251) * np.sqrt(252) * 100
    assert number(table, "ABC", "historical_volatility_1y") == pytest.approx(expected)
    assert number(table, "ABC", "returns_counted") == 252


def test_beta_is_the_slope_on_the_equal_weighted_market() -> None:
    frame = _market()
    table = metrics(frame, END)
    returns = daily_returns(frame).to_numpy().reshape(25, 300)[:, -252:]
    market = returns.mean(axis=0)
    slopes = [np.polyfit(market, one, 1)[0] for one in returns]
    assert table["beta"].to_numpy() == pytest.approx(slopes)
    assert table["beta"].mean() == pytest.approx(1.0)


def test_beta_follows_an_index_where_one_is_given() -> None:
    frame = _market()
    index = daily_returns(frame.loc[frame["symbol"] == "S07"]).set_axis(frame.loc[frame["symbol"] == "S07", "date"])
    assert number(metrics(frame, END, market_returns=index), "S07", "beta") == pytest.approx(1.0)


def test_funds_do_not_make_the_market() -> None:
    frame = _market()
    shares = {f"S{n:02d}" for n in range(24)}
    wild = frame.copy()
    wild.loc[wild["symbol"] == "S24", "close"] *= np.tile([1.0, 1.1], 150)
    calm = metrics(frame, END, shares=shares)["beta"].drop("S24")
    pd.testing.assert_series_equal(metrics(wild, END, shares=shares)["beta"].drop("S24"), calm)


def test_usual_volume_is_in_shares_of_the_session() -> None:
    """Thirty sessions of 1,000 shares, the last ten after a split to a tenth at 10,000: all are 10,000 of today's."""
    bars = bars_of([100.0] * 40)
    bars.loc[30:, "volume"] = 10_000
    bars.loc[30:, ["open", "high", "low", "close"]] /= 10
    events = events_of(("ABC", f"{bars['date'].iloc[30]:%Y-%m-%d}", "Face Value Split From Rs 10 To Re 1"))
    table = metrics(adjusted(bars, events, END), END)
    assert number(table, "ABC", "avg_volume_30d") == pytest.approx(10_000)
    before = metrics(adjusted(bars, events, END), bars["date"].iloc[29])
    assert number(before, "ABC", "avg_volume_30d") == pytest.approx(1_000)


def test_too_little_history_gives_no_figure() -> None:
    frame = _market(days=MIN_RETURNS)
    assert metrics(frame, END)[["historical_volatility_1y", "beta"]].isna().all(axis=None)
    assert metrics(_market(days=5), END)["avg_volume_30d"].isna().all()
    assert metrics(frame, pd.Timestamp("2000-01-01")).empty
    assert list(metrics(frame, pd.Timestamp("2000-01-01")).columns) == list(METRIC_COLUMNS)


def test_a_flagged_jump_is_not_taken_for_risk() -> None:
    frame = _market()
    day = frame["date"].iloc[200]
    halved = frame.copy()
    later = (halved["symbol"] == "S03") & (halved["date"] >= day)
    halved.loc[later, ["open", "high", "low", "close"]] /= 2
    halved.loc[later & (halved["date"] > day), "prev_close"] /= 2
    jumps = pd.DataFrame({"symbol": ["S03"], "date": [day]})
    naive = number(metrics(halved, END), "S03", "historical_volatility_1y")
    honest = number(metrics(halved, END, jumps=jumps), "S03", "historical_volatility_1y")
    assert naive > 3 * honest
    assert honest == pytest.approx(number(metrics(frame, END), "S03", "historical_volatility_1y"), rel=0.05)


@given(st.integers(200, 299), st.floats(0.1, 10))
def test_the_future_changes_nothing(cut: int, garble: float) -> None:
    frame = _market(count=21)
    day = frame["date"].iloc[cut]
    garbled = frame.copy()
    late = garbled["date"] > day
    garbled.loc[late, ["open", "high", "low", "close"]] *= garble
    garbled.loc[late, "volume"] *= 7
    expected = metrics(frame.loc[frame["date"] <= day], day)
    pd.testing.assert_frame_equal(metrics(garbled, day), expected)


@given(st.integers(1, 50))
def test_bounds(seed: int) -> None:
    table = metrics(_market(seed=seed), END)
    assert (table["historical_volatility_1y"] > 0).all()
    assert (table["avg_volume_30d"] > 0).all()
    assert table["beta"].between(-1, 4).all()


@pytest.mark.real
def test_figures_of_the_real_market_are_plausible() -> None:
    table = metrics(real_market.adjusted_bars(), real_market.COVERED_UNTIL)
    assert table["historical_volatility_1y"].median() == pytest.approx(45, abs=10)
    assert 15 < number(table, "RELIANCE", "historical_volatility_1y") < 35
    assert table["beta"].mean() == pytest.approx(1.0, abs=0.15)
    assert len(table) > 2000
