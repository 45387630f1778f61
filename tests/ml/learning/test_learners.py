import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor

from ml.learning.learners import FOREST_PARAMETERS, LEARNERS, part_predictions
from tests.ml.markets import market_samples


@pytest.fixture(scope="module")
def data():
    return market_samples(shares=30, days=140).between(60, 120)


def inputs(data, name):
    return data.ranks if LEARNERS[name].inputs == "ranks" else data.values


def outcome(data):
    return data.keys["forward_return"].to_numpy(dtype=np.float64)


def test_the_contracts_forest_has_exactly_its_settings():
    assert FOREST_PARAMETERS == {
        "n_estimators": 100,
        "max_depth": 10,
        "min_samples_split": 20,
        "min_samples_leaf": 10,
        "n_jobs": -1,
    }


@pytest.mark.parametrize("name", LEARNERS)
def test_fits_and_predictions_repeat_bit_by_bit(data, name):
    learner, values = LEARNERS[name], inputs(data, name)
    first, second = (learner.fit(values, outcome(data), 3, 0.08) for _ in range(2))
    assert part_predictions(first, values).tobytes() == part_predictions(second, values).tobytes()
    assert part_predictions(first, values[:7]).tobytes() == part_predictions(first, values)[:7].tobytes()


def test_another_seed_is_another_model(data):
    first, second = (LEARNERS["boosted"].fit(data.values, outcome(data), seed, 0.1) for seed in (1, 2))
    assert not np.array_equal(part_predictions(first, data.values), part_predictions(second, data.values))


def test_a_forests_parts_average_to_the_forest(data):
    model = LEARNERS["random forest"].fit(data.values, outcome(data), 1, 0.08)
    assert isinstance(model, RandomForestRegressor)
    assert len(model.estimators_) == 8
    parts = part_predictions(model, data.values)
    assert parts.shape == (len(data), 4)
    model.n_jobs = 1
    np.testing.assert_allclose(parts.mean(axis=1), model.predict(data.values), rtol=1e-12)


@pytest.mark.parametrize("name", LEARNERS)
def test_missing_values_are_allowed(data, name):
    if LEARNERS[name].inputs == "ranks":
        return  # an unknown feature has the middle rank
    values = data.values.copy()
    values[:, 0] = np.nan
    model = LEARNERS[name].fit(values, outcome(data), 1, 0.04)
    assert np.isfinite(part_predictions(model, values)).all()
