import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ml.learning.calibration import (
    CALIBRATED,
    Calibration,
    Chances,
    Curve,
    calibrated,
    calibration,
    excess_returns,
    rising_curve,
    risk_score,
)


def walk_forward(days: int = 60, shares: int = 100) -> pd.DataFrame:
    """Predictions whose percentiles are true, of shares that move by 1 to 3 % a day."""
    random = np.random.default_rng(1)
    percentile = np.tile((np.arange(shares) + 0.5) / shares, days)
    market = random.normal(scale=0.05, size=days).repeat(shares)
    volatility = random.choice([0.01, 0.02, 0.03], size=days * shares)
    noise = random.normal(size=days * shares) * volatility * np.sqrt(10)
    return pd.DataFrame(
        {
            "position": np.arange(days).repeat(shares),
            "percentile": percentile,
            "rank_percentile": percentile,
            "risk_percentile": percentile,
            "volatility": volatility,
            "forward_return": market + 0.04 * (percentile - 0.5) + noise,
            "drawdown": -np.abs(random.normal(size=days * shares)) * volatility * np.sqrt(10),
            "run_up": np.abs(random.normal(size=days * shares)) * volatility * np.sqrt(10),
            "entry_step": 0.002,
        }
    )


def curves_of(past: pd.DataFrame) -> Calibration:
    curves = calibration(past)
    assert curves is not None
    return curves


def test_curves_recover_the_simulated_relations():
    past = walk_forward(days=200)
    curves = curves_of(past)
    ends = np.array([0.02, 0.5, 0.98])
    np.testing.assert_allclose(curves.expected_excess(ends), [-0.02, 0.0, 0.02], atol=0.006)
    chance = curves.probability(ends)
    assert 0.25 < chance[0] < 0.45 < chance[1] < 0.55 < chance[2] < 0.75
    assert curves.entry_step == pytest.approx(0.002)
    assert curves.sessions == 200


def test_the_head_of_the_list_is_told_apart_from_what_follows():
    past = walk_forward(days=100, shares=1000)
    past["forward_return"] += np.where(past["percentile"] > 0.993, 0.05, 0.0)
    curves = curves_of(past)
    assert curves.expected_excess(np.array([0.997]))[0] > curves.expected_excess(np.array([0.98]))[0] + 0.03


def test_levels_and_intervals_are_met_as_often_as_they_say():
    past = walk_forward(days=150)
    fresh = walk_forward(days=150).sample(frac=1, random_state=2).sort_values("position", kind="stable")
    figures = calibrated(fresh, calibration(past, Chances(target=0.6, stop=0.25)))
    assert (fresh["run_up"] >= figures["high_level"]).mean() == pytest.approx(0.6, abs=0.02)
    assert (fresh["drawdown"] <= figures["low_level"]).mean() == pytest.approx(0.25, abs=0.02)
    excess = excess_returns(fresh["position"].to_numpy(), fresh["forward_return"].to_numpy())
    assert ((excess >= figures["excess_low"]) & (excess <= figures["excess_high"])).mean() == pytest.approx(
        0.8, abs=0.02
    )
    for volatility in (0.01, 0.02, 0.03):  # also for the quiet and the lively ones
        same = fresh["volatility"] == volatility
        assert (fresh["run_up"] >= figures["high_level"])[same].mean() == pytest.approx(0.6, abs=0.04)


def test_a_share_without_a_volatility_has_no_levels():
    past = walk_forward()
    figures = calibrated(past.assign(volatility=np.nan), calibration(past))
    assert figures[["high_level", "low_level", "excess_low", "excess_high"]].isna().all(axis=None)
    assert figures["predicted_return"].notna().all()


def test_too_few_sessions_give_no_calibration_and_no_figures():
    past = walk_forward(days=39)
    assert calibration(past) is None
    assert calibrated(past, None)[[*CALIBRATED]].isna().all(axis=None)


def test_the_excess_is_limited_and_of_the_day():
    excess = excess_returns(np.array([1, 1, 2]), np.array([3.0, 0.1, -0.9]))
    assert excess == pytest.approx([0.2, -0.2, 0.0])


HUNDREDTHS = st.integers(-100, 100).map(lambda number: number / 100)


@settings(max_examples=20)
@given(arrays(np.float64, 80, elements=HUNDREDTHS), arrays(np.float64, 80, elements=HUNDREDTHS))
def test_a_curve_never_falls(x, y):
    curve = rising_curve(x, y)
    values = curve(np.linspace(-2, 2, 81))
    assert (np.diff(values) >= -1e-12).all()
    assert values.min() >= y.min() - 1e-9
    assert values.max() <= y.max() + 1e-9


def test_a_curve_needs_known_values():
    with pytest.raises(ValueError, match="without known values"):
        rising_curve(np.array([np.nan]), np.array([1.0]))


def test_json_keeps_every_bit():
    curves = curves_of(walk_forward())
    assert Calibration.from_json(json.loads(json.dumps(curves.as_json()))) == curves


def test_a_curve_is_flat_beyond_its_ends():
    assert Curve((0.0, 4.0), (-1.0, 1.0))(np.array([-9.0, 2.0, 9.0])).tolist() == [-1.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("drawdown", "risk"), [(0.0, 0.0), (-0.045, 0.3), (-0.075, 0.5), (-0.15, 1.0), (-0.4, 1.0), (0.01, 0.0)]
)
def test_the_risk_score_by_hand(drawdown, risk):
    assert risk_score(np.array([drawdown]))[0] == pytest.approx(risk)
