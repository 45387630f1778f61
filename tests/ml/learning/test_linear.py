import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from threadpoolctl import threadpool_info

from ml.learning import linear
from ml.learning.linear import RANK_VARIANCE, LinearModel, fit_linear


def centred(rows: int, features: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (rows, features)).astype(np.float32)


def test_planted_slopes_and_bends_are_recovered():
    ranks = centred(50_000, 3)
    target = 2.0 * ranks[:, 0] - 3.0 * (ranks[:, 1].astype(float) ** 2 - RANK_VARIANCE)
    model = fit_linear(ranks, target, penalty=1.0)
    assert model.coefficients == pytest.approx([2.0, 0, 0, 0, -3.0, 0], abs=0.01)


def test_it_is_a_ridge_regression_on_ranks_and_their_squares():
    ranks, target = centred(3_000, 5), np.random.default_rng(2).normal(size=3_000)
    design = np.hstack([ranks, ranks**2 - RANK_VARIANCE]).astype(np.float64)
    reference = Ridge(alpha=500 * RANK_VARIANCE, fit_intercept=False).fit(design, target)
    assert fit_linear(ranks, target, penalty=500).predict(ranks) == pytest.approx(reference.predict(design), abs=1e-6)


@given(st.integers(1, 6), st.integers(0, 1000))
def test_contributions_add_up_and_the_stored_model_predicts_the_same(features, seed):
    ranks, target = centred(60, features, seed), np.random.default_rng(seed).normal(size=60)
    model = fit_linear(ranks, target, penalty=10)
    assert model.contributions(ranks).sum(axis=1) == pytest.approx(model.predict(ranks), abs=1e-12)
    stored = LinearModel.from_json(json.loads(json.dumps(model.as_json())))
    assert (stored.predict(ranks) == model.predict(ranks)).all()


def test_a_feature_of_one_value_gets_no_weight():
    ranks = centred(500, 2)
    ranks[:, 1] = 0
    model = fit_linear(ranks, np.random.default_rng(3).normal(size=500), penalty=100)
    assert model.coefficients[1] == 0
    assert np.isfinite(model.coefficients).all()


def test_fits_at_once_do_not_lift_the_limit_of_threads_from_each_other(monkeypatch):
    """A solution by two threads differs from that by one in its last digits."""
    monkeypatch.setattr(linear, "_HAS_ONE_THREAD", False)
    solve = np.linalg.solve
    threads: list[int] = []

    def slow_solve(gram, moment):
        time.sleep(0.01 * (len(threads) % 3))
        threads.append(max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"))
        return solve(gram, moment)

    monkeypatch.setattr(np.linalg, "solve", slow_solve)
    ranks, target = centred(200, 2), np.random.default_rng(1).normal(size=200)
    with ThreadPoolExecutor(4) as fits:
        list(fits.map(lambda _: fit_linear(ranks, target, penalty=10), range(12)))
    assert threads == [1] * 12


@pytest.mark.long
def test_a_command_computes_with_one_thread_and_so_its_fits_run_side_by_side():
    code = "import manage, sys; sys.argv = ['manage.py', 'shell', '-v0', '-c', %r]; manage.main()"
    inside = "from ml.learning import linear; print(linear._HAS_ONE_THREAD)"
    done = subprocess.run([sys.executable, "-c", code % inside], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "True"
