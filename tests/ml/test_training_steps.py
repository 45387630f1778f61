"""A training as a run: both recipes are fitted and stored, the decision with them, and a rollback takes all back."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from django.test import override_settings

from market_data.models import MarketDay, PipelineRun, PipelineStep, SourceFile
from market_data.runs import engine, lifecycle
from market_data.runs.rollback import roll_back
from market_data.runs.saga import StepContext, StepFailed, saga_of
from ml import training_steps
from ml.champions import queries
from ml.learning.estimators import ESTIMATORS
from ml.models import ChampionChange, Prediction, TrainedModel
from ml.predictions import _FIGURES, _SCORES
from stocks.storage.durable_files import sha256_of
from tests.champions import RECIPE, crown
from tests.runs import registered

pytestmark = pytest.mark.django_db
DAYS = [day for day in (date(2026, 4, 6) + timedelta(days=number) for number in range(19)) if day.weekday() < 5]
TODAY = DAYS[-1]
LINEAR = ESTIMATORS["linear"]


@pytest.fixture(autouse=True)
def calendar() -> None:
    MarketDay.objects.bulk_create(MarketDay(date=day, kind="normal", is_session=True, source="t") for day in DAYS)
    SourceFile.objects.create(session=TODAY, name="a", size=1, mtime_ns=1, sha256="0", rows=1, rejected=0)


@pytest.fixture
def fit(tmp_path: Path) -> Any:
    """Makes what `fit_models` prints of a fit, with one prediction."""

    def make(recipe: str = RECIPE, low: float = 0.01, status: str = "accepted") -> dict[str, Any]:
        path = tmp_path / f"{recipe}.parquet"
        columns = dict.fromkeys((*_SCORES, *_FIGURES), 0.5)
        pd.DataFrame([{"symbol": "AAA", "date": pd.Timestamp(TODAY), **columns}]).to_parquet(path)
        name = next((name for name, each in ESTIMATORS.items() if each.recipe == recipe), "ensemble")
        facts = {"train_from": str(DAYS[0]), "train_until": str(TODAY), "samples": 9, "data_hash": "0", "path": "m"}
        return facts | {
            "id": f"{name}_{TODAY}",
            "recipe": recipe,
            "estimator": name,
            "session": str(TODAY),
            "status": status,
            "reason": "" if status == "accepted" else "No skill.",
            "seconds": 1.0,
            "parameters": ESTIMATORS[name].as_json(),
            "metrics": {
                "rank_ic": {"mean": 0.05, "days": 99},
                "skill_above_noise": {"mean": 0.05, "low_90": low, "high_90": 0.09},
            },
            "predictions": {"path": str(path), "sha256": sha256_of(path)},
        }

    return make


@contextmanager
def fits_are(*fits: dict[str, Any]) -> Iterator[None]:
    """Let the step TRAIN find these, as if they had just been made."""
    saga = saga_of("training")
    [train, promote] = saga.steps
    with registered(replace(saga, steps=(replace(train, compute=lambda context: list(fits)), promote))):
        yield


def train(*fits: dict[str, Any], session: date = TODAY) -> PipelineRun:
    with fits_are(*fits):
        done = engine.advance(lifecycle.create_run("training", session, triggered_by="test").id, wait=True)
    assert done.status == "completed", done.reason
    return done


def test_the_first_training_makes_a_champion_once_and_its_rollback_takes_it_back(fit: Any) -> None:
    run = train(fit())
    row = ChampionChange.objects.get()
    assert (row.kind, row.recipe, row.run_id) == ("first", RECIPE, run.id)
    assert run.summary["champion"] == row.reason
    assert queries.model_in_force(TODAY) == TrainedModel.objects.get()
    again = train(fit())
    assert ChampionChange.objects.get() == row
    assert again.summary["champion"] == f"ensemble {RECIPE} has been champion since {TODAY}."
    roll_back(again.id, "test")
    assert ChampionChange.objects.get() == row
    undone = roll_back(run.id, "test")
    assert [undone[name] for name in ("trained_models", "champion_changes", "predictions")] == [(1, 0)] * 3
    assert queries.champion() is None


def test_both_recipes_are_stored_and_the_champions_leads_the_summary(fit: Any) -> None:
    crown(DAYS[0], LINEAR.recipe, estimator="linear", parameters=LINEAR.as_json())
    run = train(fit(LINEAR.recipe), fit())
    assert run.summary["recipe"] == LINEAR.recipe
    assert run.summary["challenger"]["recipe"] == RECIPE
    assert set(Prediction.objects.values_list("recipe", flat=True)) == {LINEAR.recipe, RECIPE}
    assert f"linear {LINEAR.recipe} stays" in run.summary["champion"]
    assert (model := queries.model_in_force(TODAY)) is not None
    assert model.recipe == LINEAR.recipe


def test_a_replay_only_reports(fit: Any) -> None:
    run = train(fit(), session=DAYS[-2])
    assert run.is_replay
    assert "is the first champion" in run.summary["champion"]
    assert not ChampionChange.objects.exists()
    assert not TrainedModel.objects.exists()
    assert not Prediction.objects.exists()


def test_what_a_person_puts_back_meanwhile_stands(fit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    decide = training_steps.decide

    def decide_slowly(context: StepContext) -> Any:
        decision = decide(context)
        crown(DAYS[0], "other")
        return decision

    saga = saga_of("training")
    steps = (saga.steps[0], replace(saga.steps[1], compute=decide_slowly))
    with registered(replace(saga, steps=steps)):
        run = train(fit())
    assert run.summary["champion"] == "Another champion was put in place meanwhile: nothing was decided."
    assert ChampionChange.objects.get().recipe == "other"


def context_of(session: date = TODAY) -> StepContext:
    context = StepContext(PipelineRun(job="training", session=session), PipelineStep(name="TRAIN"), None)
    context.keeper = type("Keeper", (), {"lines": [], "lost": False, "progress": 0.0})()
    return context


@pytest.mark.parametrize("setting", ["ensemble", "linear"])
def test_a_night_fits_the_champion_and_then_what_the_settings_want(
    setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[str, ...]] = []
    monkeypatch.setattr(training_steps, "_fit_in_child", lambda context, options, *place: made.append(options))
    wanted = (f"--estimator={setting}", "--lookback=0")
    with override_settings(ESTIMATOR=setting):
        training_steps.fit_recipes(context_of())
        assert made == [wanted]
        made.clear()
        row = crown(DAYS[0])
        training_steps.fit_recipes(context_of())
        assert made == ([wanted] if setting == "ensemble" else [(f"--recipe={RECIPE}",), wanted])
        made.clear()
        row.parameters = {}
        row.save()
        training_steps.fit_recipes(context_of())
        assert made == [wanted]


def test_a_challenger_that_cannot_be_fitted_leaves_the_champions_night_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    crown(DAYS[0], LINEAR.recipe, estimator="linear", parameters=LINEAR.as_json())

    def child(context: StepContext, options: tuple[str, ...], *place: int) -> dict[str, Any]:
        if options[0].startswith("--estimator"):
            raise StepFailed("The fit exited with code -9: no message")
        return {"recipe": LINEAR.recipe}

    monkeypatch.setattr(training_steps, "_fit_in_child", child)
    context = context_of()
    assert training_steps.fit_recipes(context) == [{"recipe": LINEAR.recipe}]
    assert context.run.summary["challenger"] == "not fitted: The fit exited with code -9: no message"
    assert training_steps.decide(context).change is None
