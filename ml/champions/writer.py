"""The only writer of `champion_changes`: decisions of trainings, and champions that a person puts back."""

from typing import NamedTuple

from django.conf import settings
from django.db import connection, transaction

from market_data.storage.queries import latest_session
from ml.champions import queries, recipes
from ml.models import ChampionChange, TrainedModel


class NotPutBack(ValueError):
    """A recipe cannot be made champion; the sentence says why."""


class Plan(NamedTuple):
    """A recipe to put back: its newest model, the champion it replaces, and a warning, which may be empty."""

    model: TrainedModel
    replaces: ChampionChange
    warning: str


def record_decision(change: ChampionChange, run_id: str) -> bool:
    """Store a training's decision in the caller's transaction, unless the champion has changed since it was made."""
    _lock()
    current = queries.champion(change.session)
    if (current.recipe if current else "") != change.champion_recipe:
        return False
    change.run_id = run_id
    change.save(force_insert=True)
    return True


def put_back_plan(recipe: str = "") -> Plan:
    """What putting a recipe back would mean, by default the earlier champion's.

    Raises
    ------
    NotPutBack
        There is no champion, no earlier one, or no accepted model of the recipe; it is champion already; or this
        version cannot fit it any more.
    """
    current = queries.champion()
    if current is None:
        raise NotPutBack("There is no champion yet: the first accepted training makes one.")
    if not recipe:
        earlier = queries.earlier_champion()
        if earlier is None:
            raise NotPutBack(f"{queries.champion_name(current)} is the only champion there has been.")
        recipe = earlier.recipe
    if recipe == current.recipe:
        raise NotPutBack(f"{queries.champion_name(current)} is the champion already.")
    model = queries.models_of(recipe).filter(status=TrainedModel.Status.ACCEPTED).first()
    if not recipe or model is None:
        raise NotPutBack(f"There is no accepted model of recipe {recipe[:40]!r}; `champion` lists the recipes.")
    if retirement := recipes.retirement(model.estimator, model.recipe, model.parameters):
        raise NotPutBack(retirement)
    return Plan(model, current, _warning(model))


def _warning(model: TrainedModel) -> str:
    session = latest_session()
    if session is None or queries.recent_model(model.recipe, session):
        return ""
    limit = settings.ABSTAIN_MODEL_AGE_SESSIONS
    return (
        f"Its newest accepted model is of {model.session}, more than {limit} sessions ago:"
        " no picks are published until the next training has fitted it."
    )


@transaction.atomic
def put_back(recipe: str, operator: str, reason: str) -> ChampionChange:
    """Make a recipe champion from the next selection on; the one that gives way waits for its next judgement.

    Raises NotPutBack as ``put_back_plan``.
    """
    _lock()
    plan = put_back_plan(recipe)
    current = plan.replaces
    name = f"{plan.model.estimator} {plan.model.recipe}"
    return ChampionChange.objects.create(
        session=max(filter(None, (latest_session(), current.session))),
        kind=ChampionChange.Kind.REVERTED,
        recipe=plan.model.recipe,
        estimator=plan.model.estimator,
        parameters=plan.model.parameters,
        champion_recipe=current.recipe,
        challenger_recipe=current.recipe,
        reason=f"{name} was put back in place of {queries.champion_name(current)}: {reason or 'no reason given'}.",
        operator=operator,
    )


def _lock() -> None:
    """Let decisions take turns until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE champion_changes IN SHARE ROW EXCLUSIVE MODE")
