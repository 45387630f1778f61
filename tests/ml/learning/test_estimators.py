import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor

from ml.learning.estimators import (
    DEEPEST_DRAWDOWN,
    ESTIMATORS,
    FOREST_PARAMETERS,
    UnknownEstimator,
    estimator,
    limited_drawdown,
    normal_score,
    part_predictions,
    plain_return,
)
from tests.ml.markets import market_samples


@pytest.fixture(scope="module")
def data():
    return market_samples(shares=30, days=140).between(60, 120)


def test_the_contracts_forest_has_exactly_its_settings():
    assert FOREST_PARAMETERS == {
        "n_estimators": 100,
        "max_depth": 10,
        "min_samples_split": 20,
        "min_samples_leaf": 10,
        "n_jobs": -1,
    }
    assert ESTIMATORS["random_forest"].feature_set == "contract"
    assert ESTIMATORS["random_forest"].price_target is plain_return


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UnknownEstimator, match="'xgboost'; choose one of: lightgbm, random_forest"):
        estimator("xgboost")


def test_normal_scores_are_of_the_day_alone(data):
    score = normal_score(data)
    for position in (60, 90):
        day = data.position == position
        assert score[day].mean() == pytest.approx(0, abs=1e-9)
        assert score[day].std() == pytest.approx(1, abs=0.1)
        order = np.argsort(data.keys["forward_return"].to_numpy()[day])
        assert (np.diff(score[day][order]) > 0).all()


def test_drawdowns_are_clipped(data):
    crashed = data.where(np.ones(len(data), dtype=bool))
    crashed.keys.loc[0, "drawdown"] = -0.9
    assert limited_drawdown(crashed)[0] == DEEPEST_DRAWDOWN


@pytest.mark.parametrize("name", ["lightgbm", "random_forest"])
def test_fits_and_predictions_repeat_bit_by_bit(data, name):
    chosen = estimator(name)
    target = chosen.price_target(data)
    first, second = (chosen.fit(data.values, target, 3, 0.08) for _ in range(2))
    assert part_predictions(first, data.values).tobytes() == part_predictions(second, data.values).tobytes()
    assert part_predictions(first, data.values).tobytes() == part_predictions(first, data.values).tobytes()
    assert part_predictions(first, data.values[:7]).tobytes() == part_predictions(first, data.values)[:7].tobytes()


def test_another_seed_is_another_model(data):
    chosen = estimator("lightgbm")
    target = chosen.price_target(data)
    first, second = (chosen.fit(data.values, target, seed, 0.1) for seed in (1, 2))
    assert not np.array_equal(part_predictions(first, data.values), part_predictions(second, data.values))


def test_a_forests_parts_average_to_the_forest(data):
    model = estimator("random_forest").fit(data.values, plain_return(data), 1, 0.08)
    assert isinstance(model, RandomForestRegressor)
    assert len(model.estimators_) == 8
    parts = part_predictions(model, data.values)
    assert parts.shape == (len(data), 4)
    model.n_jobs = 1
    np.testing.assert_allclose(parts.mean(axis=1), model.predict(data.values), rtol=1e-12)


def test_missing_values_are_allowed(data):
    values = data.values.copy()
    values[:, 0] = np.nan
    for chosen in ESTIMATORS.values():
        model = chosen.fit(values, plain_return(data), 1, 0.04)
        assert np.isfinite(part_predictions(model, values)).all()
