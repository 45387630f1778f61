"""Held evenings: the planned runs of their session wait until an operator lets the evening go.

Only planned runs are held: whoever holds an evening means to correct something in it by hand first.
"""

from datetime import date, datetime

from market_data.models import EveningHold, PipelineRun


def hold_of(session: date | None) -> EveningHold | None:
    """Return the hold in force of a session."""
    return EveningHold.objects.filter(session=session, released_at=None).first() if session else None


def holds_in_force() -> list[EveningHold]:
    """Return all of them, in the order of their sessions."""
    return list(EveningHold.objects.filter(released_at=None).order_by("session"))


def is_held(session: date | None, intended_at: datetime | None) -> bool:
    """Whether a run of that session and planned time has to wait; call with the run-creation lock held."""
    return intended_at is not None and hold_of(session) is not None


def record_hold(session: date, held_by: str, reason: str) -> EveningHold:
    """Store a hold; call with the run-creation lock held and no hold in force."""
    return EveningHold.objects.create(session=session, held_by=held_by, reason=reason)


def record_unhold(session: date, released_by: str, now: datetime) -> bool:
    """End the hold of a session; False when there is none."""
    in_force = EveningHold.objects.filter(session=session, released_at=None)
    return bool(in_force.update(released_by=released_by, released_at=now))


def waiting_runs(session: date) -> list[PipelineRun]:
    """Return the planned runs of a session that wait, in the order of their creation."""
    waiting = PipelineRun.objects.filter(session=session, status=PipelineRun.Status.WAITING).exclude(intended_at=None)
    return list(waiting.order_by("sequence"))
