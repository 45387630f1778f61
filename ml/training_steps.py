"""The steps of the training: fit the champion's recipe and its challenger, store both, decide who is champion."""

import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from django.conf import settings

from market_data.runs.saga import StepContext, StepFailed
from ml.champions import queries, recipes, writer
from ml.champions.promotion import Decision, Fit, tonights_decision
from ml.evaluation import records as evaluation_records
from ml.models import TrainedModel
from ml.predictions import kept_predictions, record_predictions

_RUNBOOK = "training-failed"


def fit_recipes(context: StepContext) -> list[dict[str, Any]]:
    """Fit the champion's recipe, or the wanted one where there is none that can be built; then the challenger.

    Each in a process of its own: OpenMP does not survive a fork, and its memory returns to the system. A challenger
    that cannot be fitted leaves the champion's night alone.
    """
    first, *others = _fits_to_make(context.session)
    fitted = [_fit_in_child(context, first, 0, 1 + len(others))]
    for number, options in enumerate(others, start=1):
        try:
            fitted.append(_fit_in_child(context, options, number, 1 + len(others)))
        except StepFailed as error:
            context.log("the challenger was not fitted", reason=str(error))
            context.summarise(challenger=f"not fitted: {error}")
    return fitted


def _fits_to_make(session: date) -> list[tuple[str, ...]]:
    """Options of `fit_models` for each fit of a night."""
    wanted = (f"--estimator={settings.ESTIMATOR}", f"--lookback={settings.TRAINING_LOOKBACK_DAYS}")
    champion = queries.champion(session)
    if champion is None or champion.recipe == recipes.wanted_estimator().recipe:
        return [wanted]
    if recipes.retirement(champion.estimator, champion.recipe, champion.parameters):
        return [wanted]
    return [(f"--recipe={champion.recipe}",), wanted]


def _fit_in_child(context: StepContext, options: Sequence[str], number: int, total: int) -> dict[str, Any]:
    command = [sys.executable, "manage.py", "fit_models", f"--date={context.session}", *options, "--with-parent"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=settings.BASE_DIR, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as child:
        try:
            last_line = _forward_progress(context, child, number, total)
            output = child.stdout.read() if child.stdout else ""
        except BaseException:
            child.terminate()
            raise
    if child.returncode:
        raise StepFailed(f"The fit exited with code {child.returncode}: {last_line or 'no message'}", runbook=_RUNBOOK)
    fitted: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    context.log("fitted", model=fitted["id"], samples=fitted["samples"], seconds=fitted["seconds"])
    return fitted


def _forward_progress(context: StepContext, child: "subprocess.Popen[str]", number: int, total: int) -> str:
    """Report the progress of one child of several until it exits; return the last other line of its standard error."""
    from ml.datasets import PROGRESS

    last_line = ""
    for line in child.stderr or ():
        if line.startswith(PROGRESS):
            context.report(100 * number + int(line.removeprefix(PROGRESS)), 100 * total)
        elif line.strip():
            last_line = line.strip()
    return last_line


def record_models(context: StepContext, fitted: list[dict[str, Any]]) -> int:
    """Store the rows and predictions of fitted models unless they are stored already; a replay only reports."""
    first, *others = fitted
    walk_forward = evaluation_records.headline(first["estimator"], context.session)
    context.summarise(**_facts(first), walk_forward=walk_forward or "none stored; run evaluate_models")
    for challenger in others:
        context.summarise(challenger=_facts(challenger))
    if context.run.is_replay:
        return 0
    return sum(_record_model(context, each) for each in fitted)


def _facts(fitted: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": fitted["id"],
        "recipe": fitted["recipe"],
        "status": fitted["status"],
        "reason": fitted["reason"],
        "metrics": fitted["metrics"],
    }


def _record_model(context: StepContext, fitted: dict[str, Any]) -> int:
    kept = fitted["predictions"]
    facts = {name: value for name, value in fitted.items() if name not in ("id", "seconds", "predictions")}
    facts |= {"run_id": context.run.id}
    stored = record_predictions(kept_predictions(Path(kept["path"]), kept["sha256"]), fitted["recipe"], context.run.id)
    context.log("predictions stored", recipe=fitted["recipe"], inserted=stored.inserted, changed=stored.updated)
    return int(TrainedModel.objects.get_or_create(pk=fitted["id"], defaults=facts)[1])


def decide(context: StepContext) -> Decision:
    """Who is champion from tonight on, by the fits that the run's summary holds."""
    summary = context.run.summary
    rows = [row for row in (summary, summary.get("challenger")) if isinstance(row, dict) and "recipe" in row]
    fits = {row["recipe"]: Fit(row["status"], row["reason"], row["metrics"]) for row in rows}
    return tonights_decision(context.session, fits)


def record_decision(context: StepContext, decision: Decision) -> int:
    """Store the decision, if there is one to store; a replay only reports."""
    context.summarise(champion=decision.sentence)
    context.log(decision.sentence)
    if decision.change is None or context.run.is_replay:
        return 0
    if not writer.record_decision(decision.change, context.run.id):
        context.summarise(champion="Another champion was put in place meanwhile: nothing was decided.")
        return 0
    return 1
