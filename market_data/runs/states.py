"""State transitions of runs and steps: what may happen in which state, and what it leads to.

Whatever changes a state allows only the sources listed here, by a conditional UPDATE or under a lock of the row, so
that of two events at once (a completion and a cancel, two deliveries) only one happens.
"""

from typing import Final, Literal, TypeAlias

from market_data.models import PipelineRun, PipelineStep

_Run: TypeAlias = PipelineRun.Status
_Step: TypeAlias = PipelineStep.Status

RunEvent = Literal["start", "skip", "complete", "fail", "cancel", "resume", "retry", "roll_back"]
StepEvent = Literal[
    "claim", "complete", "postpone", "fail", "break", "give_up", "pass_over", "cancel", "resume", "retry"
]

RUN_TRANSITIONS: Final[dict[RunEvent, tuple[tuple[_Run, _Run], ...]]] = {
    "start": ((_Run.WAITING, _Run.RUNNING),),
    "skip": ((_Run.WAITING, _Run.SKIPPED),),
    "complete": ((_Run.RUNNING, _Run.COMPLETED),),
    "fail": ((_Run.RUNNING, _Run.FAILED),),
    "cancel": ((_Run.WAITING, _Run.CANCELLED), (_Run.RUNNING, _Run.CANCELLED)),
    "resume": ((_Run.CANCELLED, _Run.WAITING), (_Run.CANCELLED, _Run.RUNNING)),
    "retry": ((_Run.FAILED, _Run.WAITING), (_Run.FAILED, _Run.RUNNING)),
    "roll_back": (
        (_Run.COMPLETED, _Run.ROLLED_BACK),
        (_Run.FAILED, _Run.ROLLED_BACK),
        (_Run.CANCELLED, _Run.ROLLED_BACK),
    ),
}
"""Event → from, to. Skipped and rolled back are final; a run is created waiting, running or skipped."""

STEP_TRANSITIONS: Final[dict[StepEvent, tuple[tuple[_Step, _Step], ...]]] = {
    # From running: its worker is dead or silent beyond its lease.
    "claim": ((_Step.PENDING, _Step.RUNNING), (_Step.RUNNING, _Step.RUNNING)),
    "complete": ((_Step.RUNNING, _Step.COMPLETED),),
    "postpone": ((_Step.RUNNING, _Step.PENDING),),
    "fail": ((_Step.RUNNING, _Step.FAILED),),
    "break": ((_Step.RUNNING, _Step.ERRORED),),
    "give_up": ((_Step.PENDING, _Step.ERRORED), (_Step.RUNNING, _Step.ERRORED)),
    "pass_over": ((_Step.PENDING, _Step.COMPLETED),),
    "cancel": ((_Step.PENDING, _Step.PENDING), (_Step.RUNNING, _Step.PENDING)),
    "resume": (
        (_Step.PENDING, _Step.PENDING),
        (_Step.RUNNING, _Step.PENDING),
        (_Step.FAILED, _Step.PENDING),
        (_Step.ERRORED, _Step.PENDING),
    ),
    "retry": ((_Step.FAILED, _Step.PENDING), (_Step.ERRORED, _Step.PENDING)),
}
"""Event → from, to. Completed is final; a step is created pending."""


def run_sources(event: RunEvent) -> list[str]:
    return sorted({source.value for source, _ in RUN_TRANSITIONS[event]})


def step_sources(event: StepEvent) -> list[str]:
    return sorted({source.value for source, _ in STEP_TRANSITIONS[event]})
