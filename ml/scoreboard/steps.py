"""The steps of the job `scoreboard`: what came of the picks, and of everything that the champion predicted."""

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from market_data import quality
from market_data.runs.saga import StepContext
from ml.evaluation import records
from ml.scoreboard import writer

if TYPE_CHECKING:
    from ml.models import PickOutcome


def judge(context: StepContext) -> "list[PickOutcome]":
    """Outcomes of all picks that are known by the session; none while its data failed a check: they wait."""
    from ml.scoreboard import judging  # loads pandas and the features, which not every command needs

    if refusal := quality.day_refusal(context.session):
        context.summarise(results=f"postponed: {refusal}")
        return []
    outcomes = judging.outcomes(context.session)
    context.summarise(results=dict(Counter(outcome.result for outcome in outcomes)) or "none due")
    return outcomes


def record(context: StepContext, outcomes: "list[PickOutcome]") -> int:
    """Add what is new to `pick_outcomes`; a replay only reports."""
    if context.run.is_replay:
        return 0
    new, corrections = writer.record_outcomes(outcomes, context.run.id)
    context.summarise(judged=new, corrections=corrections)
    return new + corrections


def report_champion(context: StepContext) -> dict[str, Any] | None:
    """The report of the champion's stored predictions, by what is known as of the session; None if there is none."""
    from ml.evaluation.stored_report import NothingToReport, stored_report, subject
    from ml.learning.estimators import UnknownEstimator

    started = time.monotonic()
    try:
        content = stored_report(subject(as_of=context.session), as_of=context.session)
    except (NothingToReport, UnknownEstimator) as error:
        context.summarise(model_report=str(error))
        return None
    context.log("model reported", sessions=content["sessions"], last=content["last_test"])
    return content | {"seconds": round(time.monotonic() - started, 1)}


def record_report(context: StepContext, content: dict[str, Any] | None) -> int:
    """Store the report; a replay only reports."""
    if content is None or context.run.is_replay:
        return 0
    seconds = content.pop("seconds")
    records.record_stored_report(content, seconds)
    context.summarise(model_report={"sessions": content["sessions"], "to": content["last_test"], "seconds": seconds})
    return 1
