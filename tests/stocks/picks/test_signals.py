"""Recommendation, target and stop."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocks.picks.signals import ROUND_TRIP_COST_PCT, recommendation, stop_loss, target_price, tick


def pick(**figures):
    base = {
        "current_price": 100.0,
        "atr_14": 2.0,
        "predicted_return": 2.0,
        "predicted_drawdown": 3.0,
        "ml_prediction_score": 0.8,
        "ml_confidence": 0.8,
        "ml_risk_score": 0.2,
    }
    return pd.DataFrame([base | figures])


@pytest.mark.parametrize(
    ("figures", "label"),
    [
        ({}, "STRONG_BUY"),
        ({"ml_confidence": 0.7}, "BUY"),
        ({"ml_confidence": np.nan}, "BUY"),
        ({"ml_risk_score": 0.3}, "BUY"),
        ({"ml_prediction_score": 0.7}, "BUY"),
        ({"ml_prediction_score": 0.49}, "HOLD"),
        ({"ml_risk_score": 0.51}, "HOLD"),
        ({"predicted_return": ROUND_TRIP_COST_PCT}, "HOLD"),
        ({"predicted_return": np.nan}, "HOLD"),
        ({"ml_prediction_score": 0.39, "ml_risk_score": 0.51}, "AVOID"),
        ({"ml_prediction_score": 0.39, "ml_risk_score": 0.5}, "HOLD"),
    ],
)
def test_recommendations(figures, label):
    assert recommendation(pick(**figures)).item() == label


@pytest.mark.parametrize(
    ("price", "change", "target"),
    [
        (100.0, 2.0, 102.0),
        (99.97, 1.23, 101.2),
        (1234.5, 1.0, 1246.8),
        (7000.0, 1.004, 7070.5),
        (100.0, np.nan, np.nan),
    ],
)
def test_targets_are_multiples_of_the_tick(price, change, target):
    rounded = target_price(pick(current_price=price, predicted_return=change)).item()
    assert rounded == pytest.approx(target, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize(
    ("figures", "stop"),
    [
        ({}, 96.0),
        ({"predicted_drawdown": 6.52}, 93.45),
        ({"atr_14": np.nan}, 97.0),
        ({"predicted_drawdown": np.nan}, 96.0),
        ({"atr_14": np.nan, "predicted_drawdown": np.nan}, np.nan),
        ({"atr_14": 0.0, "predicted_drawdown": 0.0}, 99.95),
        ({"atr_14": 60.0}, np.nan),
    ],
)
def test_stops_lie_beyond_noise_and_expected_drawdown(figures, stop):
    assert stop_loss(pick(**figures)).item() == pytest.approx(stop, nan_ok=True)


@given(
    st.floats(0.5, 90_000).map(lambda price: round(price, 2)),
    st.floats(0, 500),
    st.floats(0, 60),
)
def test_a_stop_is_between_zero_and_the_price(price, atr, drawdown):
    stop = stop_loss(pick(current_price=price, atr_14=atr, predicted_drawdown=drawdown)).item()
    assert np.isnan(stop) or 0 < stop < price


def test_ticks():
    assert tick(np.array([20.0, 999.0, 1000.0, 1000.1, 4000.0, 7000.0, 15000.0, 90000.0])).tolist() == [
        0.05,
        0.05,
        0.05,
        0.1,
        0.1,
        0.5,
        1.0,
        5.0,
    ]
