"""A small market with company figures, stored predictions of every session, and an evening's lists of it."""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from django.conf import settings

from market_data import quality
from market_data.models import PipelineRun, PipelineStep
from market_data.runs.saga import StepContext
from market_data.steps.metrics import session_frame
from market_data.storage import queries
from market_data.storage import writer as market_writer
from ml import sagas
from ml.learning.prediction import PREDICTION_COLUMNS
from ml.models import TrainedModel
from ml.pick_history.days import scores_as_picked
from ml.sagas import Predictions, ranked_picks
from stocks.fundamentals import metrics_writer
from stocks.models import FundamentalSnapshot
from stocks.storage import bulk
from tests.market_data.quality.stored_market import DAYS, SYMBOLS, TODAY, YESTERDAY, stored_market

RECIPE = "0123456789ab"
MODEL = "ensemble_of_the_test"
LENIENT = {"min_volume": 0.0, "min_ml_prediction_score": 0.1, "min_rsi": 5.0, "max_rsi": 95.0, "min_price": 20.0}


def market() -> None:
    """Bars, company figures known since yesterday (of most shares), and predictions of the last ten sessions."""
    stored_market()
    company_figures(YESTERDAY)
    for day in DAYS[-10:]:
        predictions(day)
    model(TODAY)


def model(session: date) -> None:
    """Store the row of an accepted model."""
    TrainedModel.objects.create(
        id=MODEL,
        estimator=settings.ESTIMATOR,
        recipe=RECIPE,
        session=session,
        train_from=DAYS[0],
        train_until=DAYS[5],
        samples=1,
        data_hash="0",
        path="nowhere",
        status="accepted",
    )


def company_figures(shown_before: date) -> None:
    """What a screener showed on the session before a day of every share but the last three."""
    snapshot = queries.session_before(shown_before)
    assert snapshot is not None
    random = np.random.default_rng(5)
    for symbol in SYMBOLS[:-3]:
        FundamentalSnapshot.objects.create(
            symbol=symbol,
            snapshot=snapshot,
            source="test",
            close=100.0,
            market_cap=float(random.uniform(600, 9000)),
            pe_ratio=float(random.uniform(5, 60)),
            roe=float(random.uniform(5, 30)),
            debt_to_equity=float(random.uniform(0, 2.5)),
            sales_quarter=float(random.uniform(80, 140)),
            sales_quarter_last_year=100.0,
            net_profit_quarter=float(random.uniform(8, 14)),
            net_profit_quarter_last_year=10.0,
        )


def predictions(session: date, recipe: str = RECIPE, seed: int = 1) -> None:
    """Store predictions of every share, drawn by session and seed."""
    random = np.random.default_rng([seed, session.toordinal()])
    frame = pd.DataFrame({"symbol": SYMBOLS, "date": pd.Timestamp(session), "recipe": recipe})
    frame["score"] = random.normal(size=len(frame))
    frame["confidence"] = random.uniform(size=len(frame))
    frame["risk_score"] = random.uniform(0, 0.6, size=len(frame))
    bulk.upsert("predictions", frame, ("date", "symbol", "recipe"), "training_of_the_test")


def check(session: date) -> None:
    """Record what the checks say of a session and of those whose findings still hold on it, and its metrics."""
    metrics_writer.record_metrics(session_frame(session), session, "pipeline_of_the_test")
    names = [each.name for each in quality.CHECKS]
    days = [*queries.sessions_before(session, quality.HOLDS_SESSIONS - 1), session]
    for day, findings in quality.findings_between(days):
        market_writer.replace_findings("pipeline_of_the_test", day, names, findings)


def as_stored(session: date, recipe: str = RECIPE) -> pd.DataFrame:
    """What a model says of a session: what is stored."""
    return scores_as_picked(recipe, session, session).assign(predicted_return=0.01, predicted_drawdown=-0.04)


def selection(session: date, frame: pd.DataFrame, run: PipelineRun | None = None) -> StepContext:
    """The context of an evening's selection (a run of its own if none is given), whose model predicts a frame."""
    memo: dict[str, Any] = {
        "predictions": Predictions(frame.reindex(columns=list(PREDICTION_COLUMNS)), MODEL, None),
    }
    run = run or PipelineRun(id=f"selection_{session:%Y%m%d}", job="selection", session=session)
    return StepContext(run, PipelineStep(name="PUBLISH"), None, memo=memo)


def publish(session: date, frame: pd.DataFrame | None = None) -> StepContext:
    """Check a session, choose its lists by predictions and publish them; return the selection's context."""
    check(session)
    context = selection(session, as_stored(session) if frame is None else frame)
    sagas.publish(context, ranked_picks(context))
    return context
