"""The selection abstains with a reason: no model, an old model, stale data, a session that failed a check."""

import hashlib
import json
import math
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from django.conf import settings
from django.test import override_settings

from brokers.charges import ChargesError
from market_data.models import DailyBar, Finding, MarketDay, PipelineRun, PipelineStep, SourceFile
from market_data.runs import engine, lifecycle
from market_data.runs.saga import StepContext, is_condition_met, sagas
from ml.champions import queries
from ml.champions.writer import put_back
from ml.learning import artifacts
from ml.learning.calibration import Chances
from ml.learning.estimators import ESTIMATORS
from ml.models import TrainedModel
from ml.sagas import Predictions, candidates_with_predictions
from stocks.models import Publication, Stock, StockMetrics, SuggestedStock
from tests.champions import RECIPE, crown, fitted
from tests.ml.scoreboard.test_queries import store
from tests.published import pick, publish

pytestmark = pytest.mark.django_db
DAYS = [day for day in (date(2026, 4, 6) + timedelta(days=number) for number in range(40)) if day.weekday() < 5]
TODAY = DAYS[15]


@pytest.fixture(autouse=True)
def market() -> None:
    """One tradable share with a bar and metrics."""
    MarketDay.objects.bulk_create(MarketDay(date=day, kind="normal", is_session=True, source="t") for day in DAYS)
    Stock.objects.create(symbol="AAA", stock_name="A", kind="share")
    bar: dict[str, Any] = {
        "open": 100,
        "high": 101,
        "low": 99,
        "close": 100,
        "volume": 1,
        "series": "EQ",
        "source": "t",
    }
    DailyBar.objects.create(symbol_id="AAA", date=TODAY, **bar)
    SourceFile.objects.create(session=TODAY, name="a", size=1, mtime_ns=1, sha256="0", rows=1, rejected=0)
    StockMetrics.objects.create(symbol_id="AAA", date=TODAY, current_price=100, tradable=True)


def select(session: date = TODAY) -> PipelineRun:
    run = lifecycle.create_run("selection", session, triggered_by="test")
    done = engine.advance(run.id, wait=True)
    assert done.status == "completed", done.reason
    return done


def reasons() -> set[tuple[int, str]]:
    in_force = Publication.objects.filter(superseded_at=None)
    assert set(in_force.values_list("strategy", flat=True)) == {"growth", "value", "balanced", "momentum", "model"}
    return set(in_force.values_list("count", "reason"))


NO_MODEL = f"No accepted model is at most 7 sessions old on {TODAY}."


def test_without_a_model_an_abstention_is_published() -> None:
    select()
    assert reasons() == {(0, NO_MODEL)}


@pytest.mark.parametrize(
    ("session", "status", "recipe"),
    [
        (DAYS[7], "accepted", RECIPE),
        (TODAY, "rejected", RECIPE),
        (TODAY, "accepted", "0123456789ab"),
        (DAYS[16], "accepted", RECIPE),
    ],
)
def test_an_old_rejected_foreign_or_future_model_does_not_count(session: date, status: str, recipe: str) -> None:
    crown(DAYS[0])
    fitted(session, status, recipe)
    select()
    assert reasons() == {(0, NO_MODEL)}
    assert not is_condition_met("recent_model", TODAY)


def test_an_accepted_model_of_no_champion_does_not_pick() -> None:
    fitted(TODAY)
    select()
    assert reasons() == {(0, f"No recipe is champion on {TODAY}: of no accepted model the skill was above noise.")}


def test_a_model_of_seven_sessions_ago_is_recent() -> None:
    sagas()
    fitted(DAYS[8])
    assert not is_condition_met("recent_model", TODAY)  # no recipe is champion
    crown(DAYS[8])
    assert is_condition_met("recent_model", TODAY)


def test_a_day_that_failed_a_check_has_no_picks() -> None:
    Finding.objects.create(
        run_id="r", session=TODAY, check_name="bar_count", severity="error", blocks=True, message="3 bars"
    )
    select()
    assert reasons() == {(0, f"The data of {TODAY} failed a check: 3 bars.")}


def test_findings_about_one_share_or_without_a_block_do_not_stop_the_day() -> None:
    plain: dict[str, Any] = {"run_id": "r", "session": TODAY, "severity": "error", "message": "m"}
    Finding.objects.create(check_name="a", blocks=True, symbol="OTHER", **plain)
    Finding.objects.create(check_name="b", blocks=False, **plain)
    select()
    assert reasons() == {(0, NO_MODEL)}


def test_stale_data_has_no_picks() -> None:
    select(DAYS[16])
    assert reasons() == {(0, f"There are no bars of {DAYS[16]}; the latest are of {TODAY}.")}


def test_a_day_without_tradable_shares_has_no_picks() -> None:
    StockMetrics.objects.update(tradable=False)
    select()
    assert reasons() == {(0, f"No share was tradable on {TODAY}.")}


def stored_card(folder: Path, card: dict[str, Any]) -> TrainedModel:
    """Tonight's model with a card alone, of the layout in use and this market unless the card says otherwise."""
    content = json.dumps({"version": artifacts.VERSION, "market": settings.PROVIDER_KIND, "members": []} | card)
    (folder / "planted").mkdir()
    (folder / "planted" / artifacts.CARD_FILE).write_text(content)
    crown(TODAY)
    row = fitted(TODAY)
    row.path, row.files = "planted", {artifacts.CARD_FILE: hashlib.sha256(content.encode()).hexdigest()}
    row.save()
    return row


@pytest.mark.parametrize(
    ("card", "change", "sentence"),
    [
        ({}, " ", r"bundle\.json has changed since the model was stored; it is not loaded"),
        ({"version": 1}, "", "is of version 1 of the models' layout, not 2"),
        ({"market": "real"}, "", "was fitted on the real market, and this is the simulated one"),
        ({"metadata": {"parameters": {}}, "estimator": "x"}, "", "is of an estimator that this version lacks"),
    ],
)
def test_a_model_that_cannot_be_trusted_publishes_nothing(
    card: dict[str, Any], change: str, sentence: str, tmp_path: Path
) -> None:
    row = stored_card(tmp_path, card)
    with (tmp_path / "planted" / artifacts.CARD_FILE).open("a") as file:
        file.write(change)
    with override_settings(MODELS_DIR=tmp_path):
        done = engine.advance(lifecycle.create_run("selection", TODAY, triggered_by="test").id, wait=True)
    assert done.status == PipelineRun.Status.FAILED
    assert re.search(f"Model {row.pk} cannot be used: .*{sentence}.* Train again", done.reason or "")
    step = PipelineStep.objects.get(run=done, name="PREDICT")
    assert (step.status, step.traceback) == ("failed", "")
    assert not Publication.objects.exists()
    row.refresh_from_db()
    assert row.status == "accepted"
    assert (champion := queries.champion()) is not None
    assert champion.recipe == row.recipe


def test_a_selection_picks_by_the_champion_that_was_put_back() -> None:
    linear = ESTIMATORS["linear"]
    crown(DAYS[0], linear.recipe, estimator="linear", parameters=linear.as_json())
    crown(DAYS[9], kind="promoted", champion_recipe=linear.recipe, challenger_recipe=RECIPE)
    models = fitted(TODAY), fitted(DAYS[12], recipe=linear.recipe, estimator="linear", parameters=linear.as_json())
    for model in models:  # none has its files, and so the reason names the model that is in force
        done = engine.advance(lifecycle.create_run("selection", TODAY, triggered_by="test").id, wait=True)
        assert f"Model {model.pk} cannot be used" in done.reason
        if model == models[0]:
            put_back(linear.recipe, "asha", "")


def test_an_abstention_takes_the_days_earlier_picks_out_of_force() -> None:
    publish("growth", [pick("AAA")], session=TODAY, valid_for=DAYS[16])
    select()
    assert not SuggestedStock.objects.exists()
    assert reasons() == {(0, NO_MODEL)}


def test_unreadable_thresholds_fail_the_run_in_one_sentence(tmp_path: Any) -> None:
    broken = tmp_path / "filters.yaml"
    broken.write_text("strategies: [")
    with override_settings(STOCK_FILTERS_FILE=broken):
        done = engine.advance(lifecycle.create_run("selection", TODAY, triggered_by="test").id, wait=True)
    assert (done.status, str(broken) in done.reason or "filters" in done.reason) == ("failed", True)
    assert not Publication.objects.exists()


def scored(levels: dict[str, float], session: date = TODAY) -> dict[str, Any]:
    """AAA at SCORE, predicted +0.62 % by a good model, with the levels given."""
    predicted = {"symbol": "AAA", "date": session, "ml_prediction_score": 0.8, "ml_confidence": 0.8}
    predicted |= {"ml_risk_score": 0.2, "predicted_return": 0.0062, "predicted_drawdown": -0.04}
    predicted |= dict.fromkeys(LEVELS, math.nan) | levels
    memo = {"predictions": Predictions(pd.DataFrame([predicted]), "m", None, Chances())}
    context = StepContext(PipelineRun(job="selection", session=session), PipelineStep(name="SCORE"), None, memo=memo)
    [row] = candidates_with_predictions(context).to_dict("records")
    return {str(name): value for name, value in row.items()}


LEVELS = {"entry_step": 0.002, "high_level": 0.05, "low_level": -0.06, "excess_low": -0.041, "excess_high": 0.052}


def test_costs_entry_levels_and_recommendation_of_a_share() -> None:
    """₹50,000 at Zerodha cost 126.60, and a median turnover of ₹60 lakh 0.2 % a side: +0.62 % is less than that."""
    StockMetrics.objects.update(turnover_median_20=60.0)
    row = scored(LEVELS)
    assert row["round_trip_cost_pct"] == pytest.approx(126.60 / 500 + 0.4)
    assert row["recommendation"] == "HOLD"
    assert (row["predicted_return"], row["predicted_drawdown"]) == (pytest.approx(0.62), pytest.approx(4.0))
    assert (row["excess_low"], row["excess_high"]) == (pytest.approx(-4.1), pytest.approx(5.2))
    assert (row["expected_entry"], row["target_price"], row["stop_loss"]) == (pytest.approx(100.2), 105.2, 94.15)
    assert (row["target_probability"], row["stop_probability"]) == (0.5, 0.2)
    assert row["ml_price_target"] == pytest.approx(100.2 * 1.0062)


def test_a_share_of_a_large_turnover_is_worth_buying() -> None:
    """0.1 % a side above ₹10 crore; 5.00 up over 6.05 down."""
    StockMetrics.objects.update(turnover_median_20=1001.0)
    row = scored(LEVELS)
    assert row["recommendation"] == "STRONG_BUY"
    assert row["reward_to_risk"] == pytest.approx(5.0 / 6.05)
    with override_settings(STRONG_BUY_REWARD_TO_RISK=0.9):
        assert scored(LEVELS)["recommendation"] == "BUY"
    with override_settings(TICKET_BROKER="fyers", TICKET_RUPEES=10_000):
        assert scored(LEVELS)["recommendation"] == "HOLD"


def test_a_turnover_that_is_not_known_makes_no_share_worth_buying() -> None:
    row = scored(LEVELS)
    assert (math.isnan(row["round_trip_cost_pct"]), row["recommendation"]) == (True, "HOLD")


def test_a_model_without_levels_gives_none() -> None:
    StockMetrics.objects.update(turnover_median_20=1001.0)
    row = scored({})
    assert row["recommendation"] == "BUY"
    for name in ("expected_entry", "ml_price_target", "target_price", "stop_loss", "reward_to_risk", "excess_low"):
        assert math.isnan(row[name]), name


def test_a_session_before_the_first_known_rates_fails_in_one_sentence() -> None:
    early = date(2020, 12, 31)
    MarketDay.objects.create(date=early, kind="normal", is_session=True, source="t")
    StockMetrics.objects.create(symbol_id="AAA", date=early, current_price=100, tradable=True)
    with pytest.raises(ChargesError, match="first day whose rates are known"):
        scored(LEVELS, early)


def test_the_cleanup_removes_picks_of_more_than_ninety_days_ago() -> None:
    too_old, recent = date(2026, 1, 5), date(2026, 1, 6)
    for session in (too_old, recent):
        publish("growth", [pick("AAA")], session=session)
        store(session, "AAA", 1.0)
    run = lifecycle.create_run("cleanup", None, triggered_by="test")
    PipelineRun.objects.filter(pk=run.pk).update(created_at=datetime(2026, 4, 6, 3, tzinfo=UTC))
    done = engine.advance(run.id, wait=True)
    assert done.summary["removed"]["picks"] == 1
    assert set(Publication.objects.values_list("date", flat=True)) == {recent}


def test_a_failed_training_ends_the_wait_of_the_selection() -> None:
    run = lifecycle.create_run("training", TODAY, triggered_by="test")
    assert not is_condition_met("training_failed", TODAY)
    PipelineRun.objects.filter(pk=run.pk).update(status=PipelineRun.Status.FAILED)
    assert is_condition_met("training_failed", TODAY)
