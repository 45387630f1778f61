"""The sagas of training and of the suggested stocks."""

import json
import subprocess
import sys
from collections import Counter
from datetime import date, timedelta
from typing import Any, NamedTuple

import pandas as pd
from django.conf import settings
from django.utils import timezone

from market_data import quality, trading_calendar
from market_data.models import PipelineRun
from market_data.runs.saga import (
    Saga,
    Step,
    StepContext,
    StepFailed,
    Undo,
    register_condition,
    register_purge,
    register_sagas,
)
from market_data.storage import queries
from ml import artifacts, datasets, evaluation_records, prediction, selection
from ml.estimators import estimator
from ml.models import TrainedModel
from ml.training import Bundle
from stocks.picks import screening, selection_queries
from stocks.picks.filters import Filters, FiltersInvalid

MODEL_AGE_LIMIT_SESSIONS = 7
PICKS_A_STRATEGY = 50
PICKS_KEPT_DAYS = 90


# --- training -------------------------------------------------------------------------------------------------------
def train(context: StepContext, _: str) -> dict[str, Any]:
    """Fit the models in a process of their own (OpenMP and fork do not mix; memory goes back to the system)."""
    command = [
        sys.executable,
        "manage.py",
        "fit_models",
        f"--date={context.session}",
        f"--estimator={settings.ESTIMATOR}",
        "--with-parent",
    ]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=settings.BASE_DIR, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as child:
        try:
            last = _followed(context, child)
            output = child.stdout.read() if child.stdout else ""
        except BaseException:
            child.terminate()
            raise
    if child.returncode:
        raise StepFailed(f"The fit ended with {child.returncode}: {last or 'no message'}")
    fitted: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    context.log("fitted", model=fitted["id"], samples=fitted["samples"], seconds=fitted["seconds"])
    return fitted


def _followed(context: StepContext, child: "subprocess.Popen[str]") -> str:
    """Pass the child's progress on until it ends, and return the last other line it wrote."""
    last = ""
    for line in child.stderr or ():
        if line.startswith(datasets.PROGRESS):
            context.report(int(line.removeprefix(datasets.PROGRESS)), 100)
        elif line.strip():
            last = line.strip()
    return last


def record_training(context: StepContext, fitted: dict[str, Any]) -> int:
    """Store the fitted model's row; the same model fitted again leaves it, and a replay only reports."""
    judged = evaluation_records.headline(fitted["estimator"], context.session)
    walk_forward = judged or "none stored; evaluate_models makes one"
    context.summarise(model=fitted["id"], status=fitted["status"], metrics=fitted["metrics"], walk_forward=walk_forward)
    if context.run.is_replay:
        return 0
    facts = {name: value for name, value in fitted.items() if name not in ("id", "seconds")}
    facts |= {"run_id": context.run.id, "trained_at": timezone.now()}
    return int(TrainedModel.objects.get_or_create(pk=fitted["id"], defaults=facts)[1])


# --- selection ------------------------------------------------------------------------------------------------------
class Candidates(NamedTuple):
    """The session's shares with their facts, and why none may be picked (empty where some may)."""

    frame: pd.DataFrame
    refusal: str


def discover(context: StepContext, _: str = "") -> Candidates:
    """Collect the session's tradable shares with metrics and indicators; say so when the day cannot be trusted."""
    return context.once("candidates", lambda: _candidates(context))


def _candidates(context: StepContext) -> Candidates:
    session = context.session
    frame = selection_queries.metrics_frame(session)
    kept_out = quality.kept_out(session)
    tradable = frame.loc[frame["tradable"] & ~frame["symbol"].isin(kept_out)] if len(frame) else frame
    context.summarise(kept_out=dict(Counter(kept_out.values())) or "none")
    indicators = queries.indicator_frame(session).drop(columns=["date", "atr_14", "atr_percentage"])
    return Candidates(tradable.merge(indicators, on="symbol", how="left"), _refusal(session, len(tradable)))


def _refusal(session: date, shares: int) -> str:
    latest = queries.latest_session()
    if latest is None or latest < session:
        return f"There are no bars of {session}; the latest are of {latest}."
    return quality.day_refusal(session) or ("" if shares else f"No share was tradable on {session}.")


def filtered(context: StepContext, _: str = "") -> dict[str, screening.Screened]:
    """Apply each strategy's thresholds and required inputs, but for the model's scores, which are not known yet."""
    return context.once("filtered", lambda: _filtered(context))


def _filtered(context: StepContext) -> dict[str, screening.Screened]:
    before_the_model = discover(context).frame.assign(ml_prediction_score=1.0, ml_risk_score=0.0)
    return {name: screening.passing(before_the_model, filters(context), name) for name in screening.STRATEGIES}


def filters(context: StepContext) -> Filters:
    """Return the thresholds of `config/stock_filters.yaml` with the environment's overrides."""
    try:
        return context.once(
            "filters", lambda: screening.load_filters(settings.STOCK_FILTERS_FILE, settings.SCREENING_OVERRIDES)
        )
    except FiltersInvalid as error:
        raise StepFailed(str(error)) from error


class Predicted(NamedTuple):
    """Predictions of the tradable universe and the model they come from; no model, no predictions."""

    frame: pd.DataFrame
    model_id: str | None
    refusal: str


def predicted(context: StepContext, _: str = "") -> Predicted:
    """Predict every tradable share with the model in force."""
    return context.once("predicted", lambda: _predicted(context))


def _predicted(context: StepContext) -> Predicted:
    model = model_in_force(context.session)
    if model is None:
        reason = f"No accepted model is at most {MODEL_AGE_LIMIT_SESSIONS} sessions old on {context.session}."
        return Predicted(pd.DataFrame(columns=list(prediction.PREDICTION_COLUMNS)), None, reason)
    bundle: Bundle = artifacts.load_bundle(settings.MODELS_DIR / model.path, model.files)
    rows = datasets.session_features(context.session, estimator(bundle.estimator))
    rows = rows.loc[rows["symbol"].isin(discover(context).frame["symbol"])]
    return Predicted(prediction.predict(bundle, rows), model.pk, "")


def model_in_force(session: date) -> TrainedModel | None:
    """Return the newest accepted model of the estimator in use that is at most seven sessions old."""
    accepted = TrainedModel.objects.filter(
        estimator=settings.ESTIMATOR, status=TrainedModel.Status.ACCEPTED, session__lte=session
    )
    model = accepted.order_by("-session", "-trained_at").first()
    if model is None:
        return None
    age = len(trading_calendar.sessions_between(model.session, session)) - 1
    return model if age <= MODEL_AGE_LIMIT_SESSIONS else None


def scored(context: StepContext, _: str = "") -> pd.DataFrame:
    """Join candidates with predictions: one row a share that both know; returns and drawdowns in percent."""
    frame = discover(context).frame.merge(predicted(context).frame.drop(columns=["date"]), on="symbol", how="inner")
    target = frame["current_price"] * (1 + frame["predicted_return"].astype(float))
    return frame.assign(
        ml_price_target=target,
        predicted_return=frame["predicted_return"].astype(float) * 100,
        predicted_drawdown=frame["predicted_drawdown"].astype(float) * -100,
    )


def ranked(context: StepContext, _: str = "") -> selection.DayOfPicks:
    """Rank each strategy's shares and keep the first fifty, or none with the reason."""
    return context.once("ranked", lambda: _ranked(context))


def _ranked(context: StepContext) -> selection.DayOfPicks:
    session = context.session
    refusal = discover(context).refusal or predicted(context).refusal
    picks, reasons = {}, {}
    for name in screening.STRATEGIES:
        if refusal:
            picks[name], reasons[name] = pd.DataFrame(columns=list(selection.PICK_COLUMNS)), refusal
            continue
        held = selection_queries.picked_before(name, session)
        chosen = screening.ranked(scored(context), name, filters(context), held, PICKS_A_STRATEGY)
        picks[name], reasons[name] = chosen.picks, chosen.summary
    return selection.DayOfPicks(session, _next_session(session), predicted(context).model_id, picks, reasons)


def _next_session(session: date) -> date | None:
    """Return the session after, or None where the known market days end."""
    try:
        return trading_calendar.next_session(session)
    except trading_calendar.CalendarExhausted:
        return None


def publish(context: StepContext, day: selection.DayOfPicks) -> int:
    """Publish all strategies in the step's transaction; a replay only reports."""
    context.summarise(picks={name: len(rows) for name, rows in day.picks.items()}, model=day.model_id)
    if context.run.is_replay:
        context.summarise(replay={name: rows["symbol"].tolist() for name, rows in day.picks.items()})
        return 0
    return selection.publish_picks(day, context.run.id, timezone.now())


def _counted(context: StepContext, payload: Any) -> int:
    """Count what a step prepared; only PUBLISH writes."""
    frame = payload.frame if isinstance(payload, Candidates | Predicted) else payload
    return len(frame)


def _count_passing(context: StepContext, screened: dict[str, screening.Screened]) -> int:
    passing = {name: int(one.passes.sum()) for name, one in screened.items()}
    context.summarise(passing_before_the_model=passing)
    return sum(passing.values())


def _count_ranked(context: StepContext, day: selection.DayOfPicks) -> int:
    return sum(len(rows) for rows in day.picks.values())


def _undo_publications(run_id: str) -> int:
    return selection.restore_publications(run_id, timezone.now())


register_purge("picks", lambda today: selection.purge_picks(today - timedelta(days=PICKS_KEPT_DAYS)))


def training_failed(session: date) -> bool:
    """Whether a session's training ended without a model: the selection then says so instead of waiting for ever."""
    last = PipelineRun.objects.filter(job="training", session=session).order_by("-sequence").first()
    return last is not None and last.status == PipelineRun.Status.FAILED


_FACTS = (
    "stock_metrics",
    "exchange_facts",
    "financial_statements",
    "fundamental_snapshots",
    "findings",
    "symbol_changes",
    "market_days",
)

register_condition("recent_model", lambda session: model_in_force(session) is not None)
register_condition("training_failed", training_failed)
register_sagas(
    Saga(
        "training",
        "Model training",
        (Step("TRAIN", train, record_training),),
        tables=("trained_models",),
        cluster="ml",
        reads=("historical_data", "stocks", "corporate_actions", *_FACTS),
        replays=True,
    ),
    Saga(
        "selection",
        "Suggested stocks (6-step saga)",
        (
            Step("DISCOVER", discover, _counted),
            Step("FILTER", filtered, _count_passing),
            Step("PREDICT", predicted, _counted),
            Step("SCORE", scored, _counted),
            Step("RANK", ranked, _count_ranked),
            Step("PUBLISH", ranked, publish),
        ),
        tables=("daily_suggested_stocks",),
        cluster="ml",
        reads=("historical_data", "technical_indicators", "stocks", "corporate_actions", *_FACTS, "trained_models"),
        undo=(Undo("publications", selection.publications_to_restore, _undo_publications),),
        replays=True,
    ),
)
