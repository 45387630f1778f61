"""Champions and models made by hand, for the tests of those who read them."""

from datetime import date
from typing import Any

from ml.learning.estimators import estimator
from ml.models import ChampionChange, TrainedModel

WANTED = estimator("ensemble")
RECIPE = WANTED.recipe
"""Of the estimator that the settings want by default."""


def crown(session: date, recipe: str = RECIPE, **facts: Any) -> ChampionChange:
    """Store the decision that made a recipe champion."""
    defaults = {"kind": "first", "estimator": "ensemble", "parameters": WANTED.as_json(), "reason": "It was the first."}
    return ChampionChange.objects.create(session=session, recipe=recipe, **{**defaults, **facts})


def fitted(session: date, status: str = "accepted", recipe: str = RECIPE, **facts: Any) -> TrainedModel:
    """Store a model's row; there are no files."""
    defaults: dict[str, Any] = {"estimator": "ensemble", "parameters": WANTED.as_json(), "samples": 1}
    defaults |= {"train_from": session, "train_until": session, "data_hash": "0", "path": "nowhere", "status": status}
    key = f"{recipe}_{session}_{status}"
    return TrainedModel.objects.create(id=key, recipe=recipe, session=session, **{**defaults, **facts})
