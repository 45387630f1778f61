"""Recipes as estimators: the one that the settings want, and stored ones."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from ml.learning.estimators import Estimator, estimator
from ml.learning.targets import TARGETS


class RecipeRetired(ValueError):
    """A stored recipe that this version of the software cannot build any more."""


def wanted_estimator() -> Estimator:
    """The estimator of ESTIMATOR and TRAINING_LOOKBACK_DAYS; raises UnknownEstimator."""
    return estimator(settings.ESTIMATOR, settings.TRAINING_LOOKBACK_DAYS)


def stored_estimator(name: str, recipe: str, parameters: Mapping[str, Any]) -> Estimator:
    """The estimator of a stored recipe, rebuilt from its ``Estimator.as_json``.

    Raises
    ------
    RecipeRetired
        This version lacks a part of it, or would fit it in another way.
    """
    try:
        rebuilt = Estimator.from_json(name, parameters)
        lacking = {member.target for member in rebuilt.members} - set(TARGETS)
    except (KeyError, TypeError) as error:
        raise RecipeRetired(f"This version cannot build {name} {recipe}: it lacks {error}.") from error
    if lacking:
        raise RecipeRetired(f"This version cannot build {name} {recipe}: it lacks {', '.join(sorted(lacking))}.")
    if rebuilt.recipe != recipe:
        raise RecipeRetired(f"This version fits {name} {recipe} in another way, as {rebuilt.recipe}.")
    return rebuilt


def retirement(name: str, recipe: str, parameters: Mapping[str, Any]) -> str:
    """Why a stored recipe cannot be built, as a sentence; empty if it can."""
    try:
        stored_estimator(name, recipe, parameters)
    except RecipeRetired as refusal:
        return str(refusal)
    return ""
