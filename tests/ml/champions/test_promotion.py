"""Decisions on stored predictions of a made-up market: first, promoted, kept, waiting, retired."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from ml import datasets
from ml.champions import promotion, queries, recipes, writer
from ml.champions.promotion import Decision, Fit, tonights_decision
from ml.evaluation import figures
from ml.learning.estimators import ESTIMATORS
from ml.models import ChampionChange
from stocks.storage import bulk
from tests.champions import RECIPE, crown, fitted
from tests.ml.markets import sessions, tiny
from tests.ml.stored_markets import store_market

pytestmark = pytest.mark.django_db
SESSIONS = 200
DAYS = [day.date() for day in sessions(SESSIONS)]
FRIDAY, THURSDAY = DAYS[-1], DAYS[-2]
OTHER = ESTIMATORS["linear"]


def fit(status: str = "accepted", reason: str = "", **skill: float | None) -> dict[str, Fit]:
    figures = {"mean": 0.05, "low_90": 0.01, "high_90": 0.09} | skill
    return {RECIPE: Fit(status, reason, {"rank_ic": {"mean": 0.05, "days": 100}, "skill_above_noise": figures})}


@pytest.fixture(scope="module")
def outcomes(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[pd.DataFrame]:
    """Symbol, date and what the share earned from there, of a market in the tables; emptied when the module is done."""
    with django_db_blocker.unblock():
        store_market(SESSIONS, shares=40)
        keys = datasets.samples_since(FRIDAY, DAYS[0], ESTIMATORS["linear"]).keys
        yield keys[["symbol", "date", "forward_return"]]
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE stocks, market_days CASCADE")


@pytest.fixture
def predict(outcomes: pd.DataFrame, db: None) -> Any:
    """Stores a recipe's scores: `skill` times the outcome, and noise beside it."""

    def store(recipe: str, skill: float, *, last: int = SESSIONS, until: date = FRIDAY) -> None:
        rows = outcomes.loc[outcomes["date"].isin(pd.DatetimeIndex(DAYS[-last:]))]
        rows = rows.loc[rows["date"] <= pd.Timestamp(until)]
        noise = np.random.default_rng(int(recipe, 16) % 1000).normal(size=len(rows))
        score = skill * rows["forward_return"].fillna(0.0) * 100 + noise
        frame = rows[["symbol", "date"]].assign(recipe=recipe, score=score)
        bulk.upsert("predictions", frame, ("date", "symbol", "recipe"), "run_1")

    return store


@pytest.fixture(autouse=True)
def few_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten places of some thirty shares; among so few the default rule would hold nearly all."""
    whole = figures.cost_rule
    monkeypatch.setattr(figures, "cost_rule", lambda day: replace(whole(day), places=10, keep_rank=15))


def champion(recipe: str = OTHER.recipe, session: date = DAYS[0], **facts: Any) -> ChampionChange:
    return crown(session, recipe, **{"estimator": "linear", "parameters": OTHER.as_json(), **facts})


def decide(session: date = FRIDAY, fits: dict[str, Fit] | None = None) -> Decision:
    """Decide, and store what is decided as a training would."""
    decision = tonights_decision(session, fit() if fits is None else fits)
    if decision.change:
        assert writer.record_decision(decision.change, "run_2")
    return decision


# --- the first model --------------------------------------------------------------------------------------------------
@pytest.mark.usefixtures("outcomes")
def test_the_first_champion_is_an_accepted_fit_above_noise() -> None:
    decision = decide(THURSDAY)
    assert decision.sentence == (
        f"ensemble {RECIPE} is the first champion: rank correlation +0.050 on 100 sessions, skill above noise +0.050"
        " [+0.010, +0.090]."
    )
    row = ChampionChange.objects.get()
    assert (row.kind, row.recipe, row.estimator, row.run_id) == ("first", RECIPE, "ensemble", "run_2")
    assert recipes.stored_estimator(row.estimator, row.recipe, row.parameters).recipe == RECIPE
    assert row.figures["skill_above_noise"]["low_90"] == 0.01
    assert decide().change is None
    assert decide().sentence == f"ensemble {RECIPE} has been champion since {THURSDAY}."


@pytest.mark.usefixtures("outcomes")
@pytest.mark.parametrize(
    ("fits", "sentence"),
    [
        (fit(low_90=0.0), "its skill is not above noise: +0.050 [+0.000, +0.090]"),
        (fit(mean=None, low_90=None, high_90=None), "its skill is not above noise: – [–, –]"),
        (fit("rejected", "Its rank correlation was -0.010."), "not accepted: Its rank correlation was -0.010."),
        ({}, f"it has no fit of {FRIDAY}"),
    ],
)
def test_no_recipe_becomes_champion_without_an_accepted_fit_above_noise(fits: dict[str, Fit], sentence: str) -> None:
    decision = decide(fits=fits)
    assert decision.change is None
    assert sentence in decision.sentence
    assert decision.sentence.startswith(f"ensemble {RECIPE} is not champion: ")


# --- the judgement ----------------------------------------------------------------------------------------------------
def test_a_challenger_that_earned_more_replaces_the_champion(predict: Any) -> None:
    champion()
    predict(OTHER.recipe, 0.0)
    predict(RECIPE, 2.0)
    decision = decide()
    row = queries.champion()
    assert row is not None
    assert (row.kind, row.recipe, row.champion_recipe, row.challenger_recipe) == (
        "promoted",
        RECIPE,
        OTHER.recipe,
        RECIPE,
    )
    assert row.figures["differences_pct"]["champion"]["low_90"] > 0
    # The outcomes of the last eleven sessions are not known yet.
    assert (row.compared_sessions, row.figures["last"]) == (row.figures["sessions"], str(DAYS[-12]))
    assert row.figures["left_out"] == ["momentum"]  # needs a year
    assert decision.sentence.startswith(f"ensemble {RECIPE} replaces linear {OTHER.recipe}")
    assert queries.challenger(FRIDAY) is None


def test_a_challenger_that_earned_less_waits_sixty_sessions(predict: Any) -> None:
    champion()
    predict(OTHER.recipe, 2.0)
    predict(RECIPE, 0.0)
    earlier = DAYS[-61]
    assert promotion.ends_week(earlier)
    decision = decide(earlier)
    row = ChampionChange.objects.get(kind="kept")
    assert (row.recipe, row.estimator, row.challenger_recipe) == (OTHER.recipe, "linear", RECIPE)
    assert row.figures["differences_pct"]["champion"]["mean"] < 0
    assert f"stays: ensemble {RECIPE} earned less than linear {OTHER.recipe}" in decision.sentence
    again = decide(earlier)
    assert (again.change, ChampionChange.objects.count()) == (None, 2)
    assert f"Decided already: {row.reason}" in again.sentence
    waiting = decide(DAYS[-6])
    assert (waiting.change, "after 5 more sessions" in waiting.sentence) == (None, True)
    standing = queries.challenger(DAYS[-6])
    assert standing is not None
    assert standing.decision == row
    assert standing.standing == f"{row.reason} Its next judgement may come after 5 more sessions."
    assert (later := decide(FRIDAY).change) is not None
    assert later.figures["tried_before"] == 1
    assert "1 challenger was tried" in later.reason


def test_a_challenger_has_to_be_level_with_the_baselines_too(predict: Any) -> None:
    champion()
    predict(OTHER.recipe, -5.0)
    predict(RECIPE, -0.5)
    decide()
    row = ChampionChange.objects.get(kind="kept")
    assert row.figures["differences_pct"]["champion"]["low_90"] > 0
    assert f"ensemble {RECIPE} earned less than the baseline " in row.reason
    assert queries.champion() != row


def test_a_baseline_that_is_better_than_the_champion_removes_none(predict: Any) -> None:
    champion(RECIPE, estimator="ensemble")
    predict(RECIPE, -5.0)
    assert decide().change is None


def test_fewer_than_120_sessions_decide_nothing_and_cost_no_turn(predict: Any) -> None:
    champion()
    predict(OTHER.recipe, 0.0)
    predict(RECIPE, 2.0, last=130)
    decide()
    row = ChampionChange.objects.get(kind="kept")
    assert (row.compared_sessions, row.figures) == (0, {"sessions": 119})
    assert row.reason == (
        f"linear {OTHER.recipe} stays: ensemble {RECIPE} and it both have predictions of 119 sessions whose outcome is"
        " known; a comparison needs 120."
    )
    assert decide().change is None  # once a session
    assert queries.sessions_to_wait(RECIPE, FRIDAY) == 0
    assert queries.tried_before(FRIDAY) == 0


def test_a_champion_without_predictions_stays(predict: Any) -> None:
    champion()
    predict(RECIPE, 2.0)
    decide()
    assert "predictions of 0 sessions" in ChampionChange.objects.get(kind="kept").reason


def test_the_judgement_comes_with_the_session_that_ends_the_week(predict: Any) -> None:
    champion()
    predict(OTHER.recipe, 0.0)
    predict(RECIPE, 2.0)
    decision = decide(THURSDAY)
    assert (decision.change, "on the session that ends the week" in decision.sentence) == (None, True)


@pytest.mark.parametrize(
    ("fits", "words"), [({}, f"has no fit of {FRIDAY}"), (fit("rejected", "Not above 0."), "Not above 0.")]
)
def test_only_an_accepted_fit_is_judged(predict: Any, fits: dict[str, Fit], words: str) -> None:
    champion()
    predict(OTHER.recipe, 0.0)
    predict(RECIPE, 2.0)
    decision = decide(fits=fits)
    assert (decision.change, words in decision.sentence) == (None, True)


def test_nothing_later_than_the_session_is_read(predict: Any) -> None:
    """Later rows of predictions and decisions change no figure of an earlier one."""
    champion()
    predict(OTHER.recipe, 0.0, until=DAYS[-6])
    predict(RECIPE, 2.0, until=DAYS[-6])
    before = tonights_decision(DAYS[-6], fit())
    predict(OTHER.recipe, 9.0, last=5)
    predict(RECIPE, -9.0, last=5)
    crown(FRIDAY, "later")
    after = tonights_decision(DAYS[-6], fit())
    assert before.change is not None
    assert after.change is not None
    assert before.change.figures == after.change.figures


@pytest.mark.usefixtures("outcomes")
def test_a_champion_that_changed_meanwhile_is_not_overwritten() -> None:
    decision = tonights_decision(FRIDAY, fit())
    champion()
    assert decision.change is not None
    assert not writer.record_decision(decision.change, "run_2")
    assert ChampionChange.objects.count() == 1


# --- retired ----------------------------------------------------------------------------------------------------------
@pytest.fixture
def retired(outcomes: pd.DataFrame) -> ChampionChange:
    """A champion whose learner this version lacks."""
    parameters = OTHER.as_json()
    parameters["return_head"]["groups"][0][0]["learner"] = "oracle"
    return champion(parameters=parameters)


def test_a_retired_champion_is_judged_at_once_and_replaced(retired: ChampionChange, predict: Any) -> None:
    predict(OTHER.recipe, 0.0)
    predict(RECIPE, 2.0)
    fitted(THURSDAY, recipe=OTHER.recipe)
    decide(THURSDAY)
    assert ChampionChange.objects.filter(kind="promoted", session=THURSDAY).exists()


def test_a_retired_champion_that_earned_more_serves_to_its_age_limit(retired: ChampionChange, predict: Any) -> None:
    predict(OTHER.recipe, 2.0)
    predict(RECIPE, 0.0)
    model = fitted(DAYS[-12], recipe=OTHER.recipe)
    decide(DAYS[-12])
    assert ChampionChange.objects.get(kind="kept").recipe == OTHER.recipe
    assert decide(DAYS[-5]).change is None
    assert queries.model_in_force(DAYS[-5]) == model
    decision = decide(DAYS[-4])
    assert decision.change is not None
    assert (decision.change.kind, decision.change.champion_recipe) == ("first", OTHER.recipe)
    assert decision.sentence.startswith(f"This version cannot build linear {OTHER.recipe}: it lacks ")
    assert f"ensemble {RECIPE} takes its place as a first model does: rank correlation" in decision.sentence


def test_without_a_window_a_retired_champion_gives_way_to_a_first_model(retired: ChampionChange, predict: Any) -> None:
    predict(RECIPE, 2.0)
    fitted(THURSDAY, recipe=OTHER.recipe)
    assert (decision := decide(THURSDAY, fit(low_90=-0.01))).change is None
    assert "not above noise" in decision.sentence
    decide(THURSDAY)
    assert ChampionChange.objects.get(recipe=RECIPE).kind == "first"


def test_a_recipe_that_this_version_fits_in_another_way_is_retired() -> None:
    with pytest.raises(recipes.RecipeRetired, match=f"This version fits linear old in another way, as {OTHER.recipe}"):
        recipes.stored_estimator("linear", "old", OTHER.as_json())
    parameters = OTHER.as_json()
    parameters["rank_head"]["groups"][0][0]["target"] = "moon phase"
    assert recipes.retirement("linear", "old", parameters).endswith("it lacks moon phase.")
    assert recipes.retirement("linear", "old", {}).endswith("it lacks 'return_head'.")
    assert recipes.retirement("linear", OTHER.recipe, OTHER.as_json()) == ""


@pytest.mark.usefixtures("outcomes")
def test_a_shorter_window_is_another_recipe() -> None:
    champion(RECIPE, estimator="ensemble")
    with override_settings(TRAINING_LOOKBACK_DAYS=365):
        challenger = queries.challenger(FRIDAY)
    assert challenger is not None
    assert challenger.recipe != RECIPE
    assert queries.challenger(FRIDAY) is None


def test_a_champion_is_fitted_from_its_stored_settings_whatever_the_settings_want(
    outcomes: pd.DataFrame, tmp_path: Path
) -> None:
    """A recipe that no name stands for any longer."""
    light = tiny("linear", size=0.03)
    champion(light.recipe, parameters=light.as_json())
    output = io.StringIO()
    with override_settings(MODELS_DIR=tmp_path):
        arguments = (f"--date={FRIDAY}", f"--recipe={light.recipe}", "--lookback=365")
        call_command("fit_models", *arguments, stdout=output, stderr=io.StringIO())
    card = json.loads(output.getvalue())
    assert (card["recipe"], card["estimator"]) == (light.recipe, "linear")
    assert card["parameters"] == json.loads(json.dumps(light.as_json()))
    assert set(card["software"]) == {"nse-trading-system", "lightgbm", "numpy", "scikit-learn"}
    for recipe, words in ((OTHER.recipe, "no champion and no model"), ("old", "in another way")):
        if recipe == "old":
            champion("old", DAYS[1])
        with pytest.raises(CommandError, match=words):
            call_command("fit_models", f"--date={FRIDAY}", f"--recipe={recipe}", stderr=io.StringIO())
