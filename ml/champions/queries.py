"""The champion, its challenger, the decisions between them, and the model that is in force."""

from datetime import date
from typing import NamedTuple

from django.conf import settings
from django.db.models import QuerySet

from market_data import trading_calendar
from market_data.storage.queries import latest_session
from ml.champions import recipes
from ml.champions.judgement import JUDGE_AGAIN_SESSIONS, TRIED_SESSIONS
from ml.learning.estimators import UnknownEstimator
from ml.models import ChampionChange, TrainedModel

_Kind = ChampionChange.Kind


def champion(session: date | None = None) -> ChampionChange | None:
    """The decision that made the champion as of a session, by default as of now."""
    return _crownings(session).first()


def earlier_champion(session: date | None = None) -> ChampionChange | None:
    """The newest decision that made another recipe champion than the one that now is."""
    current = champion(session)
    return _crownings(session).exclude(recipe=current.recipe).first() if current else None


def _crownings(session: date | None) -> "QuerySet[ChampionChange]":
    rows = ChampionChange.objects.exclude(kind=_Kind.KEPT).order_by("-session", "-id")
    return rows if session is None else rows.filter(session__lte=session)


def decisions(limit: int = 20, session: date | None = None) -> list[ChampionChange]:
    """The latest decisions, newest first."""
    rows = ChampionChange.objects.order_by("-session", "-id")
    return list((rows if session is None else rows.filter(session__lte=session))[:limit])


def models_of(recipe: str) -> "QuerySet[TrainedModel]":
    """Fitted models of a recipe, newest first."""
    return TrainedModel.objects.filter(recipe=recipe).order_by("-session", "-trained_at")


def model_in_force(session: date) -> TrainedModel | None:
    """Newest accepted model of the champion's recipe, at most ``ABSTAIN_MODEL_AGE_SESSIONS`` sessions old."""
    current = champion(session)
    return recent_model(current.recipe, session) if current else None


def reason_without_model(session: date) -> str:
    """Why no model is in force on a session."""
    accepted = TrainedModel.objects.filter(status=TrainedModel.Status.ACCEPTED, session__lte=session)
    if champion(session) is None and accepted.exclude(recipe="").exists():
        return f"No recipe is champion on {session}: of no accepted model the skill was above noise."
    return f"No accepted model is at most {settings.ABSTAIN_MODEL_AGE_SESSIONS} sessions old on {session}."


def recent_model(recipe: str, session: date) -> TrainedModel | None:
    """Newest accepted model of a recipe, at most ``ABSTAIN_MODEL_AGE_SESSIONS`` sessions old on a session."""
    accepted = models_of(recipe).filter(status=TrainedModel.Status.ACCEPTED, session__lte=session)
    model = accepted.exclude(recipe="").first()  # of an older layout
    if model is None or sessions_since(model.session, session) > settings.ABSTAIN_MODEL_AGE_SESSIONS:
        return None
    return model


def sessions_since(earlier: date, session: date) -> int:
    """How many sessions a session lies after an earlier one."""
    return len(trading_calendar.sessions_between(earlier, session)) - 1


def latest_judgement(recipe: str, session: date) -> ChampionChange | None:
    """The latest decision after which a recipe waits: it was compared as a challenger, or an operator removed it."""
    rows = ChampionChange.objects.filter(challenger_recipe=recipe, session__lte=session)
    compared = rows.filter(compared_sessions__gt=0) | rows.filter(kind=_Kind.REVERTED)
    return compared.order_by("-session", "-id").first()


def sessions_to_wait(recipe: str, session: date) -> int:
    """Sessions until a recipe may be judged again; 0: it may be now."""
    latest = latest_judgement(recipe, session)
    return max(JUDGE_AGAIN_SESSIONS - sessions_since(latest.session, session), 0) if latest else 0


def tried_before(session: date) -> int:
    """How many comparisons with a challenger were made in the ``TRIED_SESSIONS`` before a session."""
    rows = ChampionChange.objects.filter(compared_sessions__gt=0, session__lte=session)
    days = rows.values_list("session", flat=True)
    return sum(sessions_since(day, session) <= TRIED_SESSIONS for day in days)


class Challenger(NamedTuple):
    """The recipe that the settings want while another one is champion; `standing` says in sentences how it stands."""

    estimator: str
    recipe: str
    decision: ChampionChange | None
    standing: str

    def as_json(self) -> dict[str, str]:
        return {"estimator": self.estimator, "recipe": self.recipe, "standing": self.standing}


def challenger(session: date | None = None) -> Challenger | None:
    """The challenger as of a session, by default the latest loaded one; None while the wanted recipe is champion."""
    current = champion(session)
    as_of = session or latest_session()
    if current is None or as_of is None:
        return None
    try:
        wanted = recipes.wanted_estimator()
    except UnknownEstimator:
        return None
    if wanted.recipe == current.recipe:
        return None
    as_of = max(as_of, current.session)
    decision = ChampionChange.objects.filter(challenger_recipe=wanted.recipe, session__lte=as_of).first()
    return Challenger(wanted.name, wanted.recipe, decision, _standing(wanted.recipe, decision, as_of))


def _standing(recipe: str, decision: ChampionChange | None, session: date) -> str:
    newest, wait = models_of(recipe).filter(session__lte=session).first(), sessions_to_wait(recipe, session)
    sentences = [decision.reason] if decision else []
    if newest and newest.status != TrainedModel.Status.ACCEPTED:
        sentences.append(f"Its fit of {newest.session} was not accepted: {newest.reason}")
    turn = f"after {wait} more session{'' if wait == 1 else 's'}" if wait else "on the session that ends the week"
    return " ".join([*sentences, f"Its next judgement may come {turn}."])


def champion_name(change: ChampionChange) -> str:
    """Estimator and recipe of a decision's champion, as they are named in sentences."""
    return f"{change.estimator} {change.recipe}"
