"""What was stated against what came, on days made for it."""

import json

import numpy as np
import pandas as pd
import pytest

from ml.evaluation import expectations as module
from ml.evaluation.expectations import expectations
from ml.evaluation.tranches import Rule
from ml.learning.calibration import Chances
from tests.ml.markets import sessions

DAYS, SHARES = 120, 400
RULE = Rule(0.002, lambda turnover: np.full_like(turnover, 0.001))


def stated(seed=1, days=DAYS, shares=SHARES):
    """Shares whose excess is the expectation and noise, with chances and levels that are true by construction."""
    random = np.random.default_rng(seed)
    size = days * shares
    position = np.repeat(np.arange(days), shares)
    expected = np.tile(np.linspace(-0.02, 0.02, shares), days)
    spread = 0.05
    forward = expected + random.normal(scale=spread, size=size)
    frame = pd.DataFrame(
        {
            "symbol": np.tile([f"S{number:03d}" for number in range(shares)], days),
            "position": position,
            "date": sessions(days)[position],
            "score": expected,
            "predicted_return": expected,
            "forward_return": forward,
            "excess_low": expected - 1.2816 * spread,
            "excess_high": expected + 1.2816 * spread,
            "median_turnover_lakh": 100.0,
            "run_up": random.exponential(size=size),
            "high_level": np.log(2),  # half of an exponential lies above
            "drawdown": -random.exponential(size=size),
            "low_level": -np.log(5),  # a fifth of it below
            "predicted_drawdown": random.normal(size=size),
        }
    )
    from scipy.special import ndtr

    return frame.assign(ml_probability=ndtr(expected / spread))


@pytest.fixture(scope="module")
def sections():
    result = expectations(stated(), RULE, Chances())
    assert result is not None
    return result


def test_true_expectations_are_within_two_errors_in_each_group(sections):
    groups = sections["excess"]["groups"]
    assert list(groups) == ["1-50", "1-10", "11-20", "21-50", "51-150", "151-300", "rest"]
    assert groups["1-10"]["expected_pct"] == pytest.approx(100 * np.linspace(-0.02, 0.02, SHARES)[-10:].mean())
    assert all(group["within_two_errors"] for group in groups.values())
    assert json.loads(json.dumps(sections, allow_nan=False)) == sections


def test_an_expectation_twice_too_high_is_noticed():
    frame = stated()
    row = expectations(frame.assign(predicted_return=2 * frame["predicted_return"]), RULE, Chances())
    assert row is not None
    assert not row["excess"]["groups"]["1-50"]["within_two_errors"]
    assert row["excess"]["groups"]["1-50"]["difference_pct"]["mean"] == pytest.approx(-1.75, abs=0.2)


def test_the_head_is_compared_with_charges_and_both_sides_of_impact(sections):
    over = sections["excess"]["first_50_over_costs"]
    assert over["cost_pct"] == pytest.approx(0.4)
    assert over["mean"] == 1
    frame = stated()
    frame.loc[frame["position"] < 30, "predicted_return"] = 0.0039
    less = expectations(frame, RULE, Chances())
    assert less is not None
    assert less["excess"]["first_50_over_costs"]["mean"] == pytest.approx(0.75)


def test_r2_is_what_the_expectation_explains(sections):
    expected = np.linspace(-0.02, 0.02, SHARES).var()
    assert sections["r2"]["mean"] == pytest.approx(expected / (expected + 0.05**2), abs=0.005)
    assert sections["r2"]["low_90"] < sections["r2"]["mean"] < sections["r2"]["high_90"]
    day, zero = pd.Series([1, 1]), pd.Series([0.0, 0.0])
    assert module.r2(day, pd.Series([0.1, -0.1]), zero).value == 0
    assert module.r2(day, pd.Series([0.1, -0.1]), pd.Series([-0.1, 0.1])).value == -3


def test_true_chances_lie_on_the_curve(sections):
    chance = sections["probability"]
    assert len(chance["curve"]) == 10
    assert chance["spearman"] == pytest.approx(1)
    assert chance["calibration_error"]["mean"] < 0.01
    distance = np.mean([abs(row["stated"] - row["came"]["mean"]) for row in chance["curve"]])
    assert chance["calibration_error"]["mean"] == pytest.approx(distance)


def test_chances_that_are_all_too_high_are_off_by_as_much():
    frame = stated()
    row = expectations(frame.assign(ml_probability=frame["ml_probability"] + 0.1), RULE, Chances())
    assert row is not None
    assert row["probability"]["calibration_error"]["mean"] == pytest.approx(0.1, abs=0.005)
    assert row["probability"]["spearman"] == pytest.approx(1)


def test_the_interval_covers_what_it_states_in_each_month(sections):
    inside = sections["interval"]
    assert inside["stated"] == pytest.approx(0.8)
    assert inside["pooled"]["mean"] == pytest.approx(0.8, abs=0.01)
    assert list(inside["by_month"]) == ["2023-01", "2023-02", "2023-03", "2023-04", "2023-05", "2023-06"]
    assert inside["worst_month"] == min(inside["by_month"].values())
    assert inside["months"] == 6


def test_levels_are_reached_as_often_as_stated(sections):
    target, stop = sections["levels"]["target"], sections["levels"]["stop"]
    assert (target["stated"], stop["stated"]) == (0.5, 0.2)
    assert target["came"]["mean"] == pytest.approx(0.5, abs=0.02)
    assert stop["came"]["mean"] == pytest.approx(0.2, abs=0.02)
    assert stop["came_first_50"]["mean"] == pytest.approx(0.2, abs=0.02)


def test_the_risk_model_is_paired_with_the_range_alone():
    frame = stated(days=60)
    alone = expectations(frame, RULE, Chances())
    assert alone is not None
    assert alone["risk"]["atr"] is None
    wild = frame.assign(atr_pct=-100 * frame["drawdown"])
    beside = expectations(wild, RULE, Chances())
    assert beside is not None
    risk = beside["risk"]
    assert risk["atr"]["mean"] == pytest.approx(1)  # made to know it
    assert risk["difference"]["mean"] == pytest.approx(risk["model"]["mean"] - 1)


def test_what_was_not_calibrated_or_has_no_outcome_does_not_count():
    frame = stated(days=60)
    frame.loc[frame["position"] < 10, "predicted_return"] = np.nan
    frame.loc[frame["position"] >= 50, "forward_return"] = np.nan
    row = expectations(frame, RULE, Chances())
    assert row is not None
    assert (row["sessions"], row["first"]) == (40, sessions(60)[10].date().isoformat())
    assert expectations(frame.assign(predicted_return=np.nan), RULE, Chances()) is None


def test_a_few_shares_make_no_error():
    row = expectations(stated(days=2, shares=3), RULE, Chances())
    assert json.dumps(row, allow_nan=False)
