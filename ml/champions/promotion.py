"""The decision of a training: which recipe is champion from tonight on, from stored predictions and tonight's fits."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

import pandas as pd

from market_data import trading_calendar
from ml.champions import judgement, queries, recipes
from ml.champions.queries import champion_name
from ml.evaluation.numbers import interval, number
from ml.learning.estimators import Estimator
from ml.learning.labels import EXIT_DELAY
from ml.models import ChampionChange, Prediction, TrainedModel

_Kind = ChampionChange.Kind
# Outcomes of the last sessions are not known yet, and a session now and then has no prediction.
_SESSIONS_READ = judgement.WINDOW_SESSIONS + 2 * EXIT_DELAY


class Fit(NamedTuple):
    """Tonight's fit of a recipe: the model's status with its reason, and the figures of its walk-forward."""

    status: str
    reason: str
    metrics: Mapping[str, Any]


class Decision(NamedTuple):
    """The row to store, or None where there is nothing to decide; in either case a sentence for operators."""

    change: ChampionChange | None
    sentence: str


def tonights_decision(session: date, fits: Mapping[str, Fit]) -> Decision:
    """Decide as of a session; ``fits`` are tonight's by recipe.

    Raises
    ------
    UnknownEstimator
        ESTIMATOR names none.
    """
    wanted, current = recipes.wanted_estimator(), queries.champion(session)
    fit = fits.get(wanted.recipe)
    if current is None:
        return _first_model(session, wanted, fit, None)
    if current.recipe == wanted.recipe:
        return Decision(None, f"{champion_name(current)} has been champion since {current.session}.")
    retirement = recipes.retirement(current.estimator, current.recipe, current.parameters)
    if retirement and queries.model_in_force(session) is None:
        return _first_model(session, wanted, fit, current)
    if waits := _reason_to_wait(session, wanted, fit, is_retired=bool(retirement)):
        return Decision(None, f"{champion_name(current)} is champion. {waits}")
    decision = _judgement(session, wanted, current)
    if retirement and decision.change and not decision.change.compared_sessions:
        return _first_model(session, wanted, fit, current)
    return decision


def _name(estimator: Estimator) -> str:
    return f"{estimator.name} {estimator.recipe}"


def _first_model(session: date, wanted: Estimator, fit: Fit | None, retired: ChampionChange | None) -> Decision:
    """A recipe without a champion beside it needs an accepted fit whose walk-forward is above noise."""
    name = _name(wanted)
    if obstacle := _obstacle(session, fit):
        return Decision(None, f"{name} is not champion: {obstacle}")
    assert fit is not None
    ranking, skill = fit.metrics["rank_ic"], fit.metrics["skill_above_noise"]
    reason = (
        f"{name} is the first champion: rank correlation {ranking['mean']:+.3f} on {ranking['days']} sessions, skill"
        f" above noise {_interval(skill)}."
    )
    if retired:
        why = recipes.retirement(retired.estimator, retired.recipe, retired.parameters)
        reason = f"{why} {reason.replace('is the first champion', 'takes its place as a first model does')}"
    figures = {"rank_ic": ranking, "skill_above_noise": skill}
    return Decision(_change(_Kind.FIRST, session, wanted, retired, figures=figures, reason=reason), reason)


def _obstacle(session: date, fit: Fit | None) -> str:
    """Why a fit cannot make its recipe the first champion; empty if it can."""
    if fit is None:
        return f"it has no fit of {session}."
    if fit.status != TrainedModel.Status.ACCEPTED:
        return f"its fit was not accepted: {fit.reason}"
    skill = fit.metrics["skill_above_noise"]
    if not (skill["low_90"] or 0) > 0:
        return f"its skill is not above noise: {_interval(skill)}."
    return ""


def _interval(skill: Mapping[str, Any]) -> str:
    return f"{number(skill['mean'], signed=True)} {interval(skill, 3, signed=True)}"


def _reason_to_wait(session: date, wanted: Estimator, fit: Fit | None, *, is_retired: bool) -> str:
    """Why the challenger is not judged tonight; empty if it is."""
    name = _name(wanted)
    of_session = ChampionChange.objects.filter(session=session, challenger_recipe=wanted.recipe).first()
    if of_session:
        return f"Decided already: {of_session.reason}"
    if wait := queries.sessions_to_wait(wanted.recipe, session):
        return f"{name} may be judged again after {wait} more session{'' if wait == 1 else 's'}."
    if not is_retired and not ends_week(session):
        return f"{name} is judged on the session that ends the week."
    if fit is None:
        return f"{name} has no fit of {session}, and so was not judged."
    if fit.status != TrainedModel.Status.ACCEPTED:
        return f"{name} was not accepted, and so was not judged: {fit.reason}"
    return ""


def ends_week(session: date) -> bool:
    """Whether the next session lies in another week."""
    try:
        following = trading_calendar.next_session(session)
    except trading_calendar.CalendarExhausted:
        return True
    return following.isocalendar()[:2] != session.isocalendar()[:2]


def _judgement(session: date, wanted: Estimator, current: ChampionChange) -> Decision:
    """Compare with the champion, and keep or replace it."""
    from ml.evaluation.figures import cost_rule
    from ml.evaluation.report import BASELINES

    champion, challenger = champion_name(current), _name(wanted)
    window = judgement.comparison_window(paired_predictions(session, current.recipe, wanted.recipe))
    sessions = int(window["position"].nunique())
    if sessions < judgement.FEWEST_SESSIONS:
        reason = judgement.too_few_sentences(sessions, champion, challenger)
        change = _change(_Kind.KEPT, session, wanted, current, figures={"sessions": sessions}, reason=reason)
        return Decision(change, reason)
    figures = judgement.comparison(window, tuple(BASELINES), cost_rule(pd.Timestamp(session)))
    if not judgement.is_compared(figures):
        reason = judgement.too_few_sentences(sessions, champion, challenger)
        return Decision(_change(_Kind.KEPT, session, wanted, current, figures=figures, reason=reason), reason)
    figures["tried_before"] = queries.tried_before(session)
    reason = judgement.judgement_sentences(figures, champion, challenger, figures["tried_before"])
    kind = _Kind.KEPT if judgement.better_rivals(figures) else _Kind.PROMOTED
    change = _change(kind, session, wanted, current, figures=figures, reason=reason)
    change.compared_sessions = figures["sessions"]
    return Decision(change, reason)


def paired_predictions(session: date, champion: str, challenger: str) -> pd.DataFrame:
    """Scores of both recipes and of the baselines for the same shares and sessions, with outcomes known by a session.

    Columns as of ``judgement.comparison``; of the latest sessions that both recipes predicted.
    """
    columns = ["symbol", "date", judgement.CHAMPION, judgement.CHALLENGER]
    days = _shared_days(session, champion, challenger)
    if len(days) < judgement.FEWEST_SESSIONS:
        return pd.DataFrame(columns=[*columns, "position", "forward_return"])
    both = _scores(champion, days, judgement.CHAMPION).merge(_scores(challenger, days, judgement.CHALLENGER))
    return (
        both[columns]
        .merge(_outcomes(session, days[-1]), on=["symbol", "date"])
        .sort_values(["position", "symbol"], ignore_index=True)
    )


def _shared_days(session: date, champion: str, challenger: str) -> list[date]:
    """Latest days that both recipes have predictions of, the newest first."""
    rows = Prediction.objects.filter(recipe=champion, date__lte=session)
    common = rows.filter(date__in=Prediction.objects.filter(recipe=challenger, date__lte=session).values("date"))
    return list(common.values_list("date", flat=True).order_by("-date").distinct()[:_SESSIONS_READ])


def _scores(recipe: str, days: list[date], column: str) -> pd.DataFrame:
    from ml.predictions import stored_predictions

    stored = stored_predictions(recipe, before=pd.Timestamp(days[0] + timedelta(days=1)), since=pd.Timestamp(days[-1]))
    return stored.loc[stored["date"].isin(pd.DatetimeIndex(days)), ["symbol", "date", "score"]].rename(
        columns={"score": column}
    )


def _outcomes(session: date, since: date) -> pd.DataFrame:
    """Outcomes, turnover and baselines of the tradable shares from a day on."""
    from ml import datasets
    from ml.evaluation.report import BASELINES
    from ml.learning.estimators import ESTIMATORS

    data = datasets.samples_since(session, since, ESTIMATORS["linear"])
    keys = data.keys[["symbol", "date", "forward_return", "median_turnover_lakh"]].assign(position=data.position)
    for name, (feature, sign) in BASELINES.items():
        keys[name] = sign * data.values[:, data.features.index(feature)].astype("float64")
    return keys


def _change(
    kind: ChampionChange.Kind,
    session: date,
    wanted: Estimator,
    current: ChampionChange | None,
    *,
    figures: dict[str, Any],
    reason: str,
) -> ChampionChange:
    """The row of a decision; a kept champion's names that one, any other the wanted recipe."""
    if kind == _Kind.KEPT and current:
        facts = {"recipe": current.recipe, "estimator": current.estimator, "parameters": current.parameters}
    else:
        facts = {"recipe": wanted.recipe, "estimator": wanted.name, "parameters": wanted.as_json()}
    return ChampionChange(
        session=session,
        kind=kind,
        champion_recipe=current.recipe if current else "",
        challenger_recipe="" if kind == _Kind.FIRST else wanted.recipe,
        figures=figures,
        reason=reason,
        **facts,
    )
