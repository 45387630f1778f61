"""The registry of estimators: features, targets, ensemble members and fitting of each kind of model.

``lightgbm`` is the default: gradient boosting with extremely randomised trees (Geurts et al. 2006: split points drawn
at random) on scale-free features. Ten-session returns are barely predictable, so its settings regularise strongly: few
leaves, thousands of samples per leaf, a quarter of the features per tree. The price model learns the normal score of a
share's rank within its day: that removes the market's own move, which these features cannot predict, and a single
share that doubled weighs no more than its rank. ``random_forest`` is the contract's, with exactly its settings,
features and targets.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeGuard, cast

import numpy as np
import numpy.typing as npt

from ml.learning.samples import Samples, day_percentiles

if TYPE_CHECKING:
    # These take seconds to import; pages and commands that only look up an estimator do without them.
    import lightgbm
    from sklearn.ensemble import RandomForestRegressor

Values = npt.NDArray[np.float32]
Target = npt.NDArray[np.float64]
Fitted: TypeAlias = "lightgbm.Booster | RandomForestRegressor"

LIGHTGBM_PARAMETERS: Mapping[str, Any] = {
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
LIGHTGBM_ROUNDS = 200

FOREST_PARAMETERS: Mapping[str, Any] = {
    "n_estimators": 100,
    "max_depth": 10,
    "min_samples_split": 20,
    "min_samples_leaf": 10,
    "n_jobs": -1,
}

FOREST_PARTS = 4

# Deeper drawdowns are clipped: a few shares that halved would dominate the squared error.
DEEPEST_DRAWDOWN = -0.4


class UnknownEstimator(ValueError):
    """No estimator is registered under a name."""


@dataclass(frozen=True)
class Member:
    """One model of an ensemble: its seed, and its part of the training window (0 oldest - 1 latest)."""

    seed: int
    first: float = 0.0
    last: float = 1.0


@dataclass(frozen=True)
class Estimator:
    """How one kind of model is fitted.

    Attributes
    ----------
    feature_set
        ``scale_free`` (``features``) or ``contract`` (``contract_features``).
    price_members, risk_members
        The ensembles of a published model.
    fold_members
        The smaller price ensemble of calibration folds.
    price_target
        Target of the price model, computed from samples whose forward_return is known.
    fit
        (values, target, seed, size) → fitted model; size 0-1 scales the number of trees.
    """

    name: str
    feature_set: Literal["scale_free", "contract"]
    price_members: tuple[Member, ...]
    risk_members: tuple[Member, ...]
    fold_members: tuple[Member, ...]
    price_target: Callable[[Samples], Target]
    fit: Callable[[Values, Target, int, float], Fitted]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    fold_size: float = 1.0


def normal_score(data: Samples) -> Target:
    """Normal score of each share's forward return within its day, clipped at the 0.2th and 99.8th percentile."""
    from scipy.special import ndtri

    percentile = day_percentiles(data.position, data.keys["forward_return"].to_numpy())
    score: Target = ndtri(np.clip(percentile, 0.002, 0.998))
    return score


def plain_return(data: Samples) -> Target:
    return data.keys["forward_return"].to_numpy(dtype=np.float64)


def limited_drawdown(data: Samples) -> Target:
    """Drawdown as a plain ratio, clipped at ``DEEPEST_DRAWDOWN``."""
    limited: Target = np.maximum(data.keys["drawdown"].to_numpy(dtype=np.float64), DEEPEST_DRAWDOWN)
    return limited


def _fit_lightgbm(values: Values, target: Target, seed: int, size: float) -> Fitted:
    import lightgbm

    parameters = {**LIGHTGBM_PARAMETERS, "seed": seed}
    # A small market does not have 2,000 samples per leaf.
    parameters["min_data_in_leaf"] = max(20, min(int(parameters["min_data_in_leaf"]), len(target) // 50))
    return lightgbm.train(parameters, lightgbm.Dataset(values, target), max(1, round(LIGHTGBM_ROUNDS * size)))


def _fit_random_forest(values: Values, target: Target, seed: int, size: float) -> Fitted:
    from sklearn.ensemble import RandomForestRegressor

    trees = max(1, round(FOREST_PARAMETERS["n_estimators"] * size))
    forest = RandomForestRegressor(**{**FOREST_PARAMETERS, "n_estimators": trees}, random_state=seed)
    fitted: Fitted = forest.fit(values, target)
    return fitted


def is_booster(model: Fitted) -> "TypeGuard[lightgbm.Booster]":
    """Whether a fitted model is a LightGBM booster rather than a forest."""
    import lightgbm

    return isinstance(model, lightgbm.Booster)


def part_predictions(model: Fitted, values: Values) -> Target:
    """Predictions of a fitted model's independent parts, bitwise reproducible.

    Returns
    -------
    ndarray
        float64, rows × parts, in the unit of the target: one part of a booster, ``FOREST_PARTS`` of a forest (its trees
        dealt in turn), so that the agreement within an ensemble can be measured for both.
    """
    if is_booster(model):
        return np.asarray(model.predict(values), dtype=np.float64)[:, None]
    forest = cast("RandomForestRegressor", model)
    parts = min(FOREST_PARTS, len(forest.estimators_))
    # Sequentially: threads would sum the trees in whichever order they finish, and float sums depend on the order.
    trees = [forest.estimators_[part::parts] for part in range(parts)]
    return np.column_stack([np.mean([tree.predict(values) for tree in part], axis=0) for part in trees])


ESTIMATORS: Mapping[str, Estimator] = {
    "lightgbm": Estimator(
        name="lightgbm",
        feature_set="scale_free",
        price_members=(Member(1), Member(2), Member(3, first=0.33), Member(4, last=0.67)),
        risk_members=(Member(5), Member(6)),
        fold_members=(Member(1),),
        price_target=normal_score,
        fit=_fit_lightgbm,
        parameters={**LIGHTGBM_PARAMETERS, "rounds": LIGHTGBM_ROUNDS},
    ),
    "random_forest": Estimator(
        name="random_forest",
        feature_set="contract",
        price_members=(Member(1),),
        risk_members=(Member(2),),
        fold_members=(Member(1),),
        price_target=plain_return,
        fit=_fit_random_forest,
        parameters=FOREST_PARAMETERS,
        fold_size=0.1,
    ),
}


def estimator(name: str) -> Estimator:
    """Return the estimator registered under a name.

    Raises
    ------
    UnknownEstimator
        The sentence lists the registered names.
    """
    try:
        return ESTIMATORS[name]
    except KeyError:
        raise UnknownEstimator(f"There is no estimator {name!r}; choose one of: {', '.join(ESTIMATORS)}.") from None
