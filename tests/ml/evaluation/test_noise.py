"""Skill above noise: by hand, with and without a planted signal, and from earlier sessions alone."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ml.evaluation import figures
from ml.evaluation.noise import CONTROL_SESSIONS, Noise, noise, skill_above_noise
from ml.evaluation.statistics import block_bootstrap
from ml.learning.samples import Samples
from ml.learning.training import with_outcomes
from ml.learning.walk_forward import walk_forward
from tests.ml.markets import market_samples, tiny

DAYS = 300
RULE = figures.cost_rule(pd.Timestamp("2025-07-01"))
NOTHING = Noise(0.0, 0.0, 63, 3, 0.0)
ESTIMATOR = tiny("linear")


def past(data: Samples, first: int = 160) -> pd.DataFrame:
    return with_outcomes(walk_forward(data, ESTIMATOR, first, int(data.position[-1])), data)


def days(correlations: "list[float] | np.ndarray") -> pd.DataFrame:
    """Sessions of three shares each, whose scores and outcomes correlate by 1, 0.5, -0.5 or -1."""
    outcomes = {1.0: (1, 2, 3), 0.5: (2, 1, 3), -0.5: (2, 3, 1), -1.0: (3, 2, 1)}
    rows = [
        {"position": position, "rank_score": float(score), "forward_return": float(outcome)}
        for position, correlation in enumerate(correlations)
        for score, outcome in enumerate(outcomes[correlation])
    ]
    return pd.DataFrame(rows)


def test_the_difference_and_its_interval_by_hand():
    correlations = np.random.default_rng(1).choice([1.0, 0.5, -0.5, -1.0], size=100, p=[0.4, 0.3, 0.2, 0.1])
    model = block_bootstrap(correlations)
    skill = skill_above_noise(days(correlations), Noise(0.1, 0.05, 63, 3, 0.0))
    assert skill["mean"] == pytest.approx(correlations.mean() - 0.1)
    assert skill["mean"] - skill["low_90"] == pytest.approx(np.hypot(model.value - model.low, 1.6449 * 0.05), rel=1e-4)
    assert skill["high_90"] - skill["mean"] == pytest.approx(
        np.hypot(model.high - model.value, 1.6449 * 0.05), rel=1e-4
    )
    assert skill["days"] == 100


def test_the_last_250_sessions_count():
    skill = skill_above_noise(days([-1.0] * 40 + [0.5] * 250), NOTHING)
    assert skill == {"mean": 0.5, "low_90": 0.5, "high_90": 0.5, "days": 250}


def test_what_is_not_known_is_not_a_number():
    few = skill_above_noise(days([0.5] * 30), NOTHING)
    assert few == {"mean": 0.5, "low_90": None, "high_90": None, "days": 30}
    data = market_samples(shares=20, days=180)
    none = noise(data, ESTIMATOR, past(data).assign(forward_return=np.nan), RULE)
    unknown = dict.fromkeys(("rank_ic", "standard_error", "net_excess_pct"))
    assert none.as_json() == unknown | {"days": 0, "controls": 0}
    assert skill_above_noise(days([0.5] * 60), none)["mean"] is None


@pytest.mark.parametrize(("signal", "is_skill"), [(0.004, True), (0.0, False)])
def test_a_planted_signal_is_above_noise_and_none_is_not(signal: float, is_skill: bool):
    data = market_samples(shares=60, days=DAYS, signal=signal)
    predicted = past(data)
    controls = noise(data, ESTIMATOR, predicted, RULE)
    skill = skill_above_noise(predicted, controls)
    assert (skill["low_90"] > 0) is is_skill
    assert abs(controls.rank_ic) < 0.1
    assert (controls.days, controls.controls) == (CONTROL_SESSIONS, 3)
    content = {"noise": controls.as_json(), "skill": skill}
    assert json.loads(json.dumps(content, allow_nan=False)) == content


def test_controls_know_nothing_of_the_sessions_that_judge_them():
    data = market_samples(shares=30, days=DAYS, signal=0.004)
    predicted = past(data)
    first = DAYS - 11 - CONTROL_SESSIONS
    late = (data.position >= first - 16)[:, None]
    turned = data.keys.copy()
    outcomes = ["forward_return", "forward_return_5"]
    turned[outcomes] = np.where(late, -turned[outcomes], turned[outcomes])
    before = noise(data, ESTIMATOR, predicted, RULE)
    after = noise(replace(data, keys=turned), ESTIMATOR, predicted, RULE)
    assert before.rank_ic != 0
    assert after.rank_ic == pytest.approx(-before.rank_ic)
