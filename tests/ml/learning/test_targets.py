import numpy as np
import pytest

from ml.learning.samples import centred_ranks, day_slices
from ml.learning.targets import TARGETS, standard_excess

DAYS = np.repeat([3, 4, 7], [4, 1, 3])


def test_days_are_slices_of_equal_positions():
    assert [(rows.start, rows.stop) for rows in day_slices(DAYS)] == [(0, 4), (4, 5), (5, 8)]
    assert list(day_slices(DAYS[:0])) == []


def test_ranks_are_centred_within_their_day_and_unknown_is_the_middle():
    values = np.array([[1, 5], [2, 5], [2, 6], [np.nan, 7], [9, 9], [1, 1], [np.inf, 2], [3, 3]], dtype=np.float32)
    ranks = centred_ranks(DAYS, values)
    assert ranks[:4, 0] == pytest.approx([-1 / 3, 1 / 6, 1 / 6, 0])
    assert ranks[:4, 1] == pytest.approx([-0.25, -0.25, 0.125, 0.375])
    assert ranks[4] == pytest.approx([0, 0])
    assert ranks[5:, 0] == pytest.approx([-1 / 3, 1 / 3, 0])


def test_the_excess_is_clipped_less_the_days_mean_over_its_spread():
    returns = np.linspace(-0.1, 0.1, 101)
    returns[-1] = 5.0
    excess = standard_excess(np.zeros(101, dtype=np.int64), returns)
    low, high = np.quantile(returns, (0.01, 0.99))
    by_hand = np.clip(returns, low, high)
    assert excess == pytest.approx((by_hand - by_hand.mean()) / by_hand.std())
    assert excess.max() < 2


def test_a_day_without_spread_teaches_nothing():
    assert (standard_excess(DAYS, np.full(8, 0.02)) == 0).all()
    assert (standard_excess(np.zeros(20, dtype=np.int64), np.full(20, 0.1)) == 0).all()  # NumPy's spread of it is not 0


@pytest.mark.parametrize("name", ["standard_excess", "normal_score"])
def test_a_common_move_of_a_day_changes_nothing(name):
    outcome = np.random.default_rng(1).normal(size=8)
    moved = outcome + np.repeat([0.1, -0.2, 0.3], [4, 1, 3])
    assert TARGETS[name](DAYS, moved) == pytest.approx(TARGETS[name](DAYS, outcome))
