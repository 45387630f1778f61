"""The jobs of this app: model training, and the suggested stocks of a session."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from functools import wraps
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import pandas as pd
from django.conf import settings
from django.utils import timezone

from brokers.charges import ChargesError
from market_data import quality, trading_calendar
from market_data.models import PipelineRun
from market_data.runs.saga import (
    EVENING_BEFORE,
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
from ml import costs, selection, training_steps
from ml.candidates import tradable_candidates
from ml.champions.queries import model_in_force, reason_without_model
from ml.evaluation import records
from ml.learning.estimators import UnknownEstimator
from ml.models import TrainedModel
from ml.pick_history import filling
from ml.pick_history import writer as history_writer
from ml.scoreboard import steps as scoreboard
from ml.triggers import refusals
from ml.triggers.readings import Reading, Refusal, first_refusal
from stocks.picks import screening, selection_queries, signals, standings
from stocks.picks.filters import Filters, FiltersInvalid
from stocks.picks.public_state import Abstention

if TYPE_CHECKING:
    # Every command and worker imports this module; what reads features and models is imported where it is used.
    from ml.learning.calibration import Chances
    from ml.learning.training import Bundle

PICKS_KEPT_DAYS = 90

Result = TypeVar("Result")


def _once_per_run(compute: Callable[[StepContext], Result]) -> Callable[[StepContext], Result]:
    """Keep a step's result for the steps after it; a worker that takes the run over computes it again."""

    @wraps(compute)
    def result(context: StepContext) -> Result:
        return context.once(compute.__name__, lambda: compute(context))

    return result


class Candidates(NamedTuple):
    """The session's tradable shares with their figures; `refusal` says why none may be picked, None if they may.

    `left_out` says of the session's other symbols why they are not among them, in plain words.
    """

    frame: pd.DataFrame
    refusal: Refusal | None
    left_out: dict[str, str]


@_once_per_run
def candidates(context: StepContext) -> Candidates:
    """Tradable shares with metrics and indicators, less those that findings keep out."""
    session = context.session
    frame = selection_queries.metrics_frame(session)
    excluded = quality.excluded_symbols(session)
    shares = tradable_candidates(frame, queries.indicator_frame(session), excluded.keys())
    context.summarise(kept_out=dict(Counter(excluded.values())) or "none")
    left_out = dict(zip(frame["symbol"], frame["exclusion"].fillna(""), strict=True)) if len(frame) else {}
    left_out = {symbol: f"not tradable: {why}" for symbol, why in left_out.items() if why}
    left_out |= dict.fromkeys(excluded, "kept out: one of its figures failed a check")
    return Candidates(shares, refusals.of_session(session, len(shares)), left_out)


@_once_per_run
def screened_candidates(context: StepContext) -> dict[str, screening.Screened]:
    """Candidates by each strategy's thresholds and required inputs, apart from the model's scores (not known yet)."""
    return {
        name: screening.passing(candidates(context).frame, filters(context), name, without=screening.MODEL_COLUMNS)
        for name in screening.STRATEGIES
    }


def filters(context: StepContext) -> Filters:
    """Thresholds of `config/stock_filters.yaml` with the environment's overrides."""
    return context.once(
        "filters", lambda: screening.load_filters(settings.STOCK_FILTERS_FILE, settings.SCREENING_OVERRIDES)
    )


class Predictions(NamedTuple):
    """Predictions of the tradable universe and the model they come from; no model, no predictions.

    ``chances`` are those with which the model's levels are reached.
    """

    frame: pd.DataFrame
    model_id: str | None
    refusal: Refusal | None
    chances: "Chances | None" = None


@_once_per_run
def predictions(context: StepContext) -> Predictions:
    """Predictions of the session's tradable shares by the model in force."""
    from ml import datasets
    from ml.learning import artifacts, contributions, prediction

    nothing = pd.DataFrame(columns=list(prediction.PREDICTION_COLUMNS))
    model = model_in_force(context.session)
    if model is None:
        return Predictions(nothing, None, Refusal(Abstention.MODEL, reason_without_model(context.session)))
    try:
        bundle: Bundle = artifacts.load_bundle(
            settings.MODELS_DIR / model.path, model.files, market=settings.PROVIDER_KIND
        )
        # All that the fit predicted, also what findings keep out: a share's percentile is among the same ones.
        universe = datasets.session_samples(context.session, bundle.estimator)
        if not len(universe):
            return Predictions(nothing, model.pk, None)
        frame = prediction.predict(bundle, universe).assign(model_reason=contributions.sentences(bundle, universe))
    except (artifacts.ArtifactUnreadable, prediction.FeaturesDiffer) as error:
        raise StepFailed(f"Model {model.pk} cannot be used: {error}", runbook="training-failed") from error
    chances = bundle.calibration.chances if bundle.calibration else None
    return Predictions(
        frame, model.pk, _fired(context, refusals.of_model(model, bundle, universe, context.session)), chances
    )


def _fired(context: StepContext, tonight: Sequence[Reading]) -> Refusal | None:
    """Why to abstain, if any trigger fires; the figures go into the run's summary, where the console reads them."""
    known = {reading.title: reading.as_json() for reading in tonight}
    context.summarise(triggers=context.run.summary.get("triggers", {}) | known)
    return first_refusal(tonight)


@_once_per_run
def candidates_with_predictions(context: StepContext) -> pd.DataFrame:
    """Candidates that have a prediction, with costs and signals, one row a share; returns and drawdowns in percent."""
    predicted = predictions(context).frame.drop(columns=["date"])
    frame = candidates(context).frame.merge(predicted, on="symbol", how="inner")
    percent = {name: frame[name].astype(float) * 100 for name in ("predicted_return", "excess_low", "excess_high")}
    ticket = costs.Ticket(settings.TICKET_BROKER, settings.TICKET_RUPEES)
    frame = frame.assign(
        **percent,
        predicted_drawdown=frame["predicted_drawdown"].astype(float) * -100,
        round_trip_cost_pct=costs.round_trip_cost_pct(context.session, frame["turnover_median_20"], ticket),
    )
    # The model's own: settings that changed since it was fitted count from the next fit on.
    chances = predictions(context).chances
    target, stop = (chances.target, chances.stop) if chances else (float("nan"), float("nan"))
    terms = signals.Terms(target, stop, settings.STRONG_BUY_REWARD_TO_RISK)
    return frame.join(signals.signals(frame, terms))


@_once_per_run
def ranked_picks(context: StepContext) -> selection.DayOfPicks:
    """Each strategy's best shares in order, or none with the reason."""
    session = context.session
    refusal = candidates(context).refusal or predictions(context).refusal
    valid_for, model_id = _next_session(session), predictions(context).model_id
    if refusal:
        picks = dict.fromkeys(screening.STRATEGIES, pd.DataFrame(columns=list(selection.PICK_COLUMNS)))
        reasons = dict.fromkeys(screening.STRATEGIES, refusal.sentence)
        abstentions = dict.fromkeys(screening.STRATEGIES, refusal.abstention)
        return selection.DayOfPicks(session, valid_for, model_id, picks, reasons, abstentions)
    lists = {name: _list_of(context, name) for name in screening.STRATEGIES}
    return selection.DayOfPicks(
        session,
        valid_for,
        model_id,
        picks={name: made.picks for name, made in lists.items()},
        reasons={name: made.reason for name, made in lists.items()},
        abstentions={name: made.abstention for name, made in lists.items()},
        previous={name: made.before.publication_id for name, made in lists.items() if made.before},
        departures={name: made.departures for name, made in lists.items()},
    )


class _List(NamedTuple):
    """A strategy's picks with their standings, why they are fewer than fifty, and what left the list before."""

    picks: pd.DataFrame
    reason: str
    before: standings.ListBefore | None
    departures: list[standings.Departure]
    abstention: str = ""


def _list_of(context: StepContext, strategy: str) -> _List:
    frame, limits, keep_rank = candidates_with_predictions(context), filters(context), settings.PICKS_KEEP_RANK
    before = selection_queries.list_before(strategy, context.session)
    ranking = screening.ranked(frame, strategy, limits, before.shares if before else (), keep_rank=keep_rank)
    if refusal := _fired(context, (refusals.of_list(strategy, ranking.picks),)):
        return _List(ranking.picks.iloc[:0], refusal.sentence, None, [], refusal.abstention)
    unpredicted = dict.fromkeys(candidates(context).frame["symbol"], "the model has no prediction of it")
    left_out = candidates(context).left_out | unpredicted
    left = standings.departures(ranking, before, frame, strategy, limits, left_out=left_out, keep_rank=keep_rank)
    return _List(standings.with_standings(ranking.picks, before, context.session), ranking.summary, before, left)


def _next_session(session: date) -> date | None:
    try:
        return trading_calendar.next_session(session)
    except trading_calendar.CalendarExhausted:
        return None


@_once_per_run
def newest_places(context: StepContext) -> filling.Newest | None:
    """Walk-forward places of the session, and of those before it that have none yet, by the recipe of the lists."""
    model = TrainedModel.objects.filter(pk=predictions(context).model_id).first()
    return None if model is None or context.run.is_replay else filling.newest(model.recipe, context.session)


def publishable(context: StepContext) -> selection.DayOfPicks:
    """What PUBLISH writes; the places of the history are computed with it, before its transaction."""
    newest_places(context)
    return ranked_picks(context)


def publish(context: StepContext, day: selection.DayOfPicks) -> int:
    """Publish all strategies in the step's transaction, and add to the pick history; a replay only reports."""
    context.summarise(picks={name: len(rows) for name, rows in day.picks.items()}, model=day.model_id)
    if context.run.is_replay:
        context.summarise(replay={name: rows["symbol"].tolist() for name, rows in day.picks.items()})
        return 0
    published = selection.publish_picks(day, context.run.id, timezone.now())
    if newest := newest_places(context):
        places = filling.record_newest(newest, context.run.id)
        context.summarise(pick_history={"sessions": len(newest.days), "places": places})
    return published


# Only PUBLISH writes; the steps before it record how many shares they hand on.
def _share_count(context: StepContext, payload: Candidates | Predictions | pd.DataFrame) -> int:
    return len(payload if isinstance(payload, pd.DataFrame) else payload.frame)


def _passing_count(context: StepContext, screened: dict[str, screening.Screened]) -> int:
    passing = {name: int(strategy.passes.sum()) for name, strategy in screened.items()}
    context.summarise(passing_before_the_model=passing)
    return sum(passing.values())


def _pick_count(context: StepContext, day: selection.DayOfPicks) -> int:
    return sum(len(rows) for rows in day.picks.values())


def _undo_publications(run_id: str) -> int:
    return selection.restore_publications(run_id, timezone.now())


register_purge(
    "folds", lambda today: records.purge_folds(settings.VAR_DIR / "folds", datetime.combine(today, datetime.min.time()))
)
register_purge("picks", lambda today: selection.purge_picks(today - timedelta(days=PICKS_KEPT_DAYS)))


def training_failed(session: date) -> bool:
    """Whether a session's training failed: the selection then publishes that and does not wait any longer."""
    last = PipelineRun.objects.filter(job="training", session=session).order_by("-sequence").first()
    return last is not None and last.status == PipelineRun.Status.FAILED


_FACTS = (
    *("stock_metrics", "exchange_facts", "financial_statements", "fundamental_snapshots"),
    *("findings", "symbol_changes", "market_days", "market_years"),
)

_MODELS = ("trained_models", "champion_changes")
_REFUSALS = (FiltersInvalid, ChargesError)

register_condition("recent_model", "a recent accepted model", lambda session: model_in_force(session) is not None)
register_condition("training_failed", "a failed training", training_failed)
register_sagas(
    Saga(
        "training",
        "Model training",
        (
            Step("TRAIN", training_steps.fit_recipes, training_steps.record_models, refusals=(UnknownEstimator,)),
            Step("PROMOTE", training_steps.decide, training_steps.record_decision, refusals=(UnknownEstimator,)),
        ),
        tables=(*_MODELS, "predictions"),
        cluster="ml",
        command="train_models",
        cron="0 2 * * *",
        public_title="Prediction model",
        waits_for=("validation",),
        stands_for=EVENING_BEFORE,
        reads=("historical_data", "stocks", "corporate_actions", *_FACTS),
        in_background=True,
        undo=(Undo("pick_history", history_writer.count_unfounded, history_writer.remove_unfounded),),
        replays=True,
    ),
    Saga(
        "selection",
        "Suggested stocks",
        (
            Step("DISCOVER", candidates, _share_count),
            Step("FILTER", screened_candidates, _passing_count, refusals=_REFUSALS),
            Step("PREDICT", predictions, _share_count),
            Step("SCORE", candidates_with_predictions, _share_count, refusals=_REFUSALS),
            Step("RANK", ranked_picks, _pick_count, refusals=_REFUSALS),
            Step("PUBLISH", publishable, publish, refusals=_REFUSALS),
        ),
        tables=("daily_suggested_stocks", "pick_history", "pick_history_days"),
        cluster="ml",
        command="suggest_stocks",
        cron="15 2 * * *",
        waits_for=("validation", "training|recent_model|training_failed"),
        stands_for=EVENING_BEFORE,
        description="Suggested stocks (6-step saga)",
        public_title="Choice of the picks",
        reads=(
            *("historical_data", "technical_indicators", "stocks", "corporate_actions", *_FACTS),
            *("trained_models", "champion_changes", "predictions"),
        ),
        undo=(Undo("publications", selection.publications_to_restore, _undo_publications),),
        replays=True,
    ),
    Saga(
        "scoreboard",
        "Scoreboard",
        # It has no `tables`: what was judged is a fact about a published list, which no rollback takes back.
        (
            Step("JUDGE_PICKS", scoreboard.judge, scoreboard.record),
            Step("REPORT_MODEL", scoreboard.report_champion, scoreboard.record_report),
        ),
        cluster="ml",
        command="judge_picks",
        cron="45 22 * * *",
        waits_for=("validation",),
        description="Scoreboard (what came of the published picks)",
        reads=(
            *("historical_data", "stocks", "stock_metrics", "corporate_actions", "symbol_changes", "findings"),
            *("technical_indicators", "predictions", "pick_history", "pick_history_days", *_MODELS),
        ),
        replays=True,
    ),
)
