import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from ml.evaluation import statistics
from ml.evaluation.statistics import Mean, block_bootstrap, newey_west


def test_newey_west_by_hand():
    """Deviations -1, 1, 0 of [1, 3, 2]: variance 2/3, first autocovariance -1/3, weight 1/2 at one lag."""
    mean = newey_west([1.0, 3.0, 2.0], lags=1)
    assert mean.value == 2.0
    assert mean.standard_error == pytest.approx(np.sqrt((2 / 3 - 2 * 0.5 / 3) / 3))
    assert mean.days == 3


def test_overlapping_days_widen_the_interval():
    noise = np.random.default_rng(1).normal(size=600)
    overlapping = np.convolve(noise, np.ones(10) / 10, mode="valid")
    plain = overlapping.std() / np.sqrt(len(overlapping))
    assert newey_west(overlapping).standard_error > 2 * plain


@given(st.lists(st.floats(-1, 1), max_size=60))
def test_newey_west_of_any_series(values):
    mean = newey_west([*values, np.nan])
    assert mean.days == len(values)
    assert np.isnan(mean.standard_error) == (len(values) < 2)
    assert not mean.standard_error < 0


def test_unknown_values_are_none_in_json():
    assert Mean(np.nan, np.nan, 0).as_json() == {"mean": None, "standard_error": None, "half_width_95": None, "days": 0}
    figures = Mean(0.08, 0.01, 300).as_json()
    assert figures["low_95"] == pytest.approx(0.0604, abs=1e-4)
    assert figures["high_95"] == pytest.approx(0.0996, abs=1e-4)


def test_rank_correlation_equals_scipys():
    random = np.random.default_rng(2)
    position = np.repeat([3, 4, 9], 30)
    score, outcome = np.round(random.normal(size=90), 1), np.round(random.normal(size=90), 1)  # with ties
    score[5], outcome[40] = np.nan, np.nan
    correlation = statistics.daily_rank_correlation(position, score, outcome)
    for day in (3, 4, 9):
        rows = (position == day) & np.isfinite(score) & np.isfinite(outcome)
        assert correlation[day] == pytest.approx(spearmanr(score[rows], outcome[rows]).statistic, abs=1e-12)


def test_a_day_of_equal_scores_has_no_correlation():
    correlation = statistics.daily_rank_correlation(np.array([1, 1]), np.array([2.0, 2.0]), np.array([0.1, 0.3]))
    assert correlation.isna().all()


def test_spread_and_hits_of_the_top_tenth():
    position, score = np.zeros(20, dtype=np.int64), np.arange(20.0)
    outcome = np.zeros(20)
    outcome[[18, 19]] = 0.04, 0.02  # the top tenth
    outcome[[0, 1]] = -0.01  # the bottom tenth
    assert statistics.daily_decile_spread(position, score, outcome)[0] == pytest.approx(0.04)
    assert statistics.daily_hit_rate(position, score, outcome)[0] == 1.0
    outcome[18] = -0.5
    assert statistics.daily_hit_rate(position, score, outcome)[0] == 0.5


def test_figures_of_days():
    random = np.random.default_rng(3)
    frame = pd.DataFrame({"position": np.repeat(np.arange(30), 40), "score": random.normal(size=1200)})
    frame["forward_return"] = frame["score"] + random.normal(size=1200)
    frame["drawdown"], frame["predicted_drawdown"] = -frame["score"].abs(), np.nan
    figures = statistics.daily_figures(frame)
    means = figures.mean()
    assert means["rank_ic"] == pytest.approx(0.69, abs=0.05)
    assert len(figures) == 30
    assert means["hit_rate"] > 0.8
    assert means["decile_spread"] > 2
    assert figures["risk_rank_ic"].isna().all()


def test_the_block_bootstrap_covers_a_known_mean_about_as_often_as_it_says():
    random = np.random.default_rng(5)
    hits = 0
    for seed in range(200):
        steps = random.normal(size=409)
        series = 0.3 + np.convolve(steps, np.ones(10) / 10, "valid")
        interval = block_bootstrap(series, seed)
        hits += interval.low <= 0.3 <= interval.high
    assert 0.8 <= hits / 200 <= 0.95  # 0.9 with infinitely many days; a random walk's blocks are a little too narrow


def test_the_block_bootstrap_repeats_and_ignores_missing_days():
    values = np.random.default_rng(1).normal(size=100)
    holed = np.insert(values, [0, 50, 100], np.nan)
    assert block_bootstrap(values) == block_bootstrap(holed)
    assert np.isnan(block_bootstrap(values[:39]).low)
    assert block_bootstrap(np.array([])).days == 0
