import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ml.features import panel
from tests.ml.markets import market, sessions

MATRICES = arrays(
    np.float64,
    st.tuples(st.integers(1, 60), st.integers(1, 3)),
    elements=st.one_of(st.floats(-1e6, 1e6), st.just(np.nan)),
)


def naive(values, window, min_count, compute):
    result = np.full_like(values, np.nan)
    for row, column in np.ndindex(values.shape):
        part = values[max(0, row - window + 1) : row + 1, column]
        part = part[np.isfinite(part)]
        if len(part) >= min_count:
            result[row, column] = compute(part)
    return result


@given(MATRICES, st.integers(1, 25), st.integers(1, 5))
def test_windows_equal_the_plain_computation(values, window, min_count):
    for function, compute in (
        (panel.window_sum, np.sum),
        (panel.window_mean, np.mean),
        (panel.window_max, np.max),
        (panel.window_min, np.min),
    ):
        np.testing.assert_allclose(
            function(values, window, min_count), naive(values, window, min_count, compute), rtol=1e-9, atol=1e-6
        )


@given(MATRICES, st.integers(1, 25), st.floats(-1e12, 1e12))
def test_a_window_forgets_what_lies_before_it(values, window, disturbance):
    disturbed = np.vstack([np.full((3, values.shape[1]), disturbance), values])
    after = slice(window + 2, None)
    for function in (panel.window_sum, panel.window_mean, panel.window_max, panel.window_variance):
        whole, part = function(disturbed, window, 1)[after], function(values, window, 1)[after.start - 3 :]
        assert whole.tobytes() == part.tobytes()  # bit by bit


def test_variance_of_returns():
    values = np.array([[0.01], [-0.02], [0.03], [np.nan]])
    assert panel.window_variance(values, 4, 3)[-1, 0] == pytest.approx(np.var([0.01, -0.02, 0.03]))


def test_a_window_needs_a_session():
    with pytest.raises(ValueError, match="at least one session, not 0"):
        panel.window_sum(np.zeros((3, 1)), 0, 1)


def test_ranks_within_a_day_average_ties_and_leave_unknown_out():
    ranks = panel.day_ranks(np.array([[5.0, 5.0, 1.0, np.nan]]))
    np.testing.assert_allclose(ranks, [[2 / 3, 2 / 3, 1 / 6, np.nan]])


def test_forward_filled_prices_expire():
    values = np.full((30, 1), np.nan)
    values[2] = 7.0
    filled = panel.forward_filled(values, limit=20)[:, 0]
    assert np.isnan(filled[1])
    assert (filled[2:23] == 7.0).all()
    assert np.isnan(filled[23])


def test_log_ratio_needs_positive_numbers():
    result = panel.log_ratio(np.array([np.e, 1.0, 0.0, np.nan]), np.array([1.0, 0.0, 1.0, 1.0]))
    np.testing.assert_array_equal(result, [1.0, np.nan, np.nan, np.nan])


def one_share(closes: dict[int, float], published: dict[int, float], factor: dict[int, float] | None = None):
    dates = sessions(6)
    frame = market(shares=1, days=6).iloc[sorted(closes)].reset_index(drop=True)
    for name in ("open", "high", "low", "close"):
        frame[name] = [closes[row] for row in sorted(closes)]
    frame["prev_close"] = [published[row] for row in sorted(closes)]
    frame["factor"] = [(factor or {}).get(row, 1.0) for row in sorted(closes)]
    return panel.Panel(frame, dates)


def test_previous_close_is_the_session_before():
    previous = one_share({0: 10, 1: 11, 2: 12}, {0: 9, 1: 10.5, 2: 11}).previous_close[:, 0]
    np.testing.assert_array_equal(previous[:3], [np.nan, 10, 11])  # a first row's own may be years old


def test_previous_close_over_a_gap_is_the_exchanges_own():
    assert one_share({0: 10, 4: 20}, {0: 9, 4: 19}).previous_close[4, 0] == 19


def test_after_a_very_long_gap_a_share_starts_afresh():
    frame = market(shares=1, days=200)
    for apart, is_known in ((151, True), (152, False)):  # 150 and 151 sessions without a trade
        with_gap = frame.loc[(frame.index < 20) | (frame.index >= 19 + apart)].reset_index(drop=True)
        previous = panel.Panel(with_gap, sessions(200)).previous_close[19 + apart, 0]
        assert bool(np.isfinite(previous)) is is_known


def test_previous_close_over_a_gap_with_an_event_is_not_known():
    assert np.isnan(one_share({0: 10, 4: 5}, {0: 9, 4: 10}, factor={0: 0.5}).previous_close[4, 0])


def test_the_markets_return_does_not_depend_on_the_order_of_shares():
    frame = market(shares=7, days=30)
    renamed = frame.assign(symbol=frame["symbol"].map(lambda symbol: symbol[::-1])).sort_values(
        ["symbol", "date"], ignore_index=True
    )
    first, second = (panel.Panel(part, sessions(30)).market_return for part in (frame, renamed))
    assert first.tobytes() == second.tobytes()


def test_a_bar_outside_the_calendar_is_named():
    frame = market(shares=1, days=5)
    with pytest.raises(panel.UnknownSession, match="2023-01-06 has bars but is not a session"):
        panel.Panel(frame, pd.DatetimeIndex(frame["date"].iloc[:4]))
