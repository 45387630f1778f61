import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ml.learning.calibration import Calibration, Curve, calibration, confidence, monotone_curve, risk_score


def walk_forward(days: int = 60, shares: int = 100) -> pd.DataFrame:
    random = np.random.default_rng(1)
    percentile = np.tile((np.arange(shares) + 0.5) / shares, days)
    market = random.normal(scale=0.05, size=days).repeat(shares)
    return pd.DataFrame(
        {
            "position": np.arange(days).repeat(shares),
            "percentile": percentile,
            "risk_percentile": percentile,
            "forward_return": market + 0.04 * (percentile - 0.5) + random.normal(scale=0.05, size=days * shares),
            "drawdown": -0.1 + 0.08 * percentile - np.abs(random.normal(scale=0.01, size=days * shares)),
        }
    )


def test_curves_recover_the_simulated_relations():
    curves = calibration(walk_forward())
    ends = np.array([0.02, 0.5, 0.98])
    np.testing.assert_allclose(curves.excess_return(ends), [-0.02, 0.0, 0.02], atol=0.006)
    chance = curves.probability(ends)
    assert 0.25 < chance[0] < 0.45 < chance[1] < 0.55 < chance[2] < 0.75
    np.testing.assert_allclose(curves.drawdown(ends), [-0.106, -0.068, -0.03], atol=0.01)
    assert curves.sessions == 60


HUNDREDTHS = st.integers(-100, 100).map(lambda number: number / 100)


@settings(max_examples=20)
@given(arrays(np.float64, 80, elements=HUNDREDTHS), arrays(np.float64, 80, elements=HUNDREDTHS))
def test_a_curve_never_falls(x, y):
    curve = monotone_curve(x, y)
    values = curve(np.linspace(-2, 2, 81))
    assert (np.diff(values) >= -1e-12).all()
    assert values.min() >= y.min() - 1e-9
    assert values.max() <= y.max() + 1e-9


def test_a_curve_needs_known_values():
    with pytest.raises(ValueError, match="without known values"):
        monotone_curve(np.array([np.nan]), np.array([1.0]))


def test_json_keeps_every_bit():
    curves = calibration(walk_forward())
    assert Calibration.from_json(json.loads(json.dumps(curves.as_json()))) == curves


def test_a_curve_is_flat_beyond_its_ends():
    assert Curve((0.0, 4.0), (-1.0, 1.0))(np.array([-9.0, 2.0, 9.0])).tolist() == [-1.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("drawdown", "risk"), [(0.0, 0.0), (-0.045, 0.3), (-0.075, 0.5), (-0.15, 1.0), (-0.4, 1.0), (0.01, 0.0)]
)
def test_the_risk_score_by_hand(drawdown, risk):
    assert risk_score(np.array([drawdown]))[0] == pytest.approx(risk)


def test_members_that_agree_are_confident():
    agreement = confidence(np.array([[0.9, 0.9, 0.9], [0.0, 0.5, 1.0]]))
    assert agreement[0] == pytest.approx(1.0)
    assert agreement[1] == 0.0


def test_random_members_are_not_confident():
    assert confidence(np.random.default_rng(1).random((5000, 8))).mean() < 0.15


def test_a_single_member_has_no_confidence():
    assert np.isnan(confidence(np.array([[0.3], [0.4]]))).all()
