"""How one model is fitted and predicts: boosted trees, forests, a linear model; pure.

Boosted trees draw their split points at random (extremely randomised trees, Geurts et al. 2006): ten-session returns
are barely predictable, so the settings regularise strongly (thousands of samples per leaf, a quarter of the features
per tree). The linear model learns from ranks within the day (`linear`). The random forest is the contract's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeGuard, cast

import numpy as np
import numpy.typing as npt

from ml.learning.linear import LinearModel, fit_linear

if TYPE_CHECKING:
    # These take seconds to import; pages and commands that only look up an estimator do without them.
    import lightgbm
    from sklearn.ensemble import RandomForestRegressor

Inputs = npt.NDArray[np.float32]
Target = npt.NDArray[np.float64]
Fitted: TypeAlias = "lightgbm.Booster | RandomForestRegressor | LinearModel"

BOOSTED_PARAMETERS: Mapping[str, Any] = {
    "objective": "regression",
    "learning_rate": 0.05,
    "num_leaves": 31,
    "min_data_in_leaf": 2000,
    "feature_fraction": 0.25,
    "extra_trees": True,
    "max_bin": 63,
    "lambda_l2": 1.0,
    "deterministic": True,
    "force_col_wise": True,
    # Members are fitted in parallel instead: OpenMP's spinning threads slowed one fit fourfold on a busy machine.
    "num_threads": 1,
    "verbosity": -1,
}
BOOSTED_ROUNDS = 200

# The baseline that the ensemble must beat: ordinary settings, nothing tuned, LightGBM's own where none is named.
PLAIN_PARAMETERS: Mapping[str, Any] = {
    **BOOSTED_PARAMETERS,
    "max_bin": 255,
    "learning_rate": 0.04,
    "num_leaves": 63,
    "min_data_in_leaf": 500,
    "bagging_fraction": 0.5,
    "bagging_freq": 1,
    "feature_fraction": 0.6,
    "lambda_l2": 10.0,
    "extra_trees": False,
}

HISTOGRAM_FOREST_PARAMETERS: Mapping[str, Any] = {
    **BOOSTED_PARAMETERS,
    "boosting": "rf",
    "extra_trees": False,
    "bagging_fraction": 0.3,
    "bagging_freq": 1,
    "feature_fraction": 0.3,
    "num_leaves": 255,
    "min_data_in_leaf": 500,
}
HISTOGRAM_FOREST_TREES = 100

FOREST_PARAMETERS: Mapping[str, Any] = {
    "n_estimators": 100,
    "max_depth": 10,
    "min_samples_split": 20,
    "min_samples_leaf": 10,
    "n_jobs": -1,
}
FOREST_PARTS = 4

LINEAR_PENALTY = 1000.0


@dataclass(frozen=True)
class Learner:
    """One kind of model.

    Attributes
    ----------
    inputs
        What it learns from: the features' ``values``, or their ``ranks`` within the day.
    refit_sessions
        Sessions between two fits of a walk-forward; the nightly model is refitted every night.
    fit
        (inputs, target, seed, size) → fitted model; size 0-1 scales the number of trees.
    """

    inputs: Literal["values", "ranks"]
    refit_sessions: int
    fit: Callable[[Inputs, Target, int, float], Fitted]
    parameters: Mapping[str, Any] = field(default_factory=dict)


def _lightgbm_fit(parameters: Mapping[str, Any], rounds: int) -> Callable[[Inputs, Target, int, float], Fitted]:
    def fit(values: Inputs, target: Target, seed: int, size: float) -> Fitted:
        import lightgbm

        # A small market does not have thousands of samples per leaf.
        smallest_leaf = max(20, min(int(parameters["min_data_in_leaf"]), len(target) // 50))
        settings = {**parameters, "seed": seed, "min_data_in_leaf": smallest_leaf}
        return lightgbm.train(settings, lightgbm.Dataset(values, target), max(1, round(rounds * size)))

    return fit


def _fit_random_forest(values: Inputs, target: Target, seed: int, size: float) -> Fitted:
    from sklearn.ensemble import RandomForestRegressor

    trees = max(1, round(FOREST_PARAMETERS["n_estimators"] * size))
    forest = RandomForestRegressor(**{**FOREST_PARAMETERS, "n_estimators": trees}, random_state=seed)
    fitted: Fitted = forest.fit(values, target)
    return fitted


def _fit_linear(ranks: Inputs, target: Target, seed: int, size: float) -> Fitted:
    return fit_linear(ranks, target, LINEAR_PENALTY)


LEARNERS: Mapping[str, Learner] = {
    "boosted": Learner("values", 63, _lightgbm_fit(BOOSTED_PARAMETERS, BOOSTED_ROUNDS), BOOSTED_PARAMETERS),
    "plain boosted": Learner("values", 63, _lightgbm_fit(PLAIN_PARAMETERS, BOOSTED_ROUNDS), PLAIN_PARAMETERS),
    "histogram forest": Learner(
        "values",
        63,
        _lightgbm_fit(HISTOGRAM_FOREST_PARAMETERS, HISTOGRAM_FOREST_TREES),
        HISTOGRAM_FOREST_PARAMETERS,
    ),
    "random forest": Learner("values", 63, _fit_random_forest, FOREST_PARAMETERS),
    "linear": Learner("ranks", 21, _fit_linear, {"penalty": LINEAR_PENALTY}),
}


def is_booster(model: Fitted) -> "TypeGuard[lightgbm.Booster]":
    """Whether a fitted model is one of LightGBM's."""
    import lightgbm

    return isinstance(model, lightgbm.Booster)


def part_predictions(model: Fitted, inputs: Inputs) -> Target:
    """Predictions of a fitted model's independent parts, bitwise reproducible.

    Returns
    -------
    ndarray
        float64, rows × parts, in the unit of the target: ``FOREST_PARTS`` of a random forest (its trees dealt in turn,
        so that the agreement within it can be measured), one of any other model.
    """
    if isinstance(model, LinearModel):
        return model.predict(inputs)[:, None]
    if is_booster(model):
        return np.asarray(model.predict(inputs, num_threads=1), dtype=np.float64)[:, None]
    forest = cast("RandomForestRegressor", model)
    parts = min(FOREST_PARTS, len(forest.estimators_))
    # Sequentially: threads would sum the trees in whichever order they finish, and float sums depend on the order.
    trees = [forest.estimators_[part::parts] for part in range(parts)]
    return np.column_stack([np.mean([tree.predict(inputs) for tree in part], axis=0) for part in trees])
