"""The step of the job `scoreboard`."""

from collections import Counter
from typing import TYPE_CHECKING

from market_data import quality
from market_data.runs.saga import StepContext
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
