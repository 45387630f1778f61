"""Evenings that are held: what is planned for their session waits until somebody lets it go.

Only planned starts are held. Whoever holds an evening wants to put something right in it by hand first.
"""

from datetime import date, datetime

from market_data.models import EveningHold, PipelineRun


def hold_of(session: date | None) -> EveningHold | None:
    """Return the hold in force of a session, or None."""
    if session is None:
        return None
    return EveningHold.objects.filter(session=session, released_at=None).first()


def is_held(session: date | None, intended_at: datetime | None) -> bool:
    """Whether a planned run of that session has to wait for a release; call with the run-creation lock held."""
    return intended_at is not None and hold_of(session) is not None


def record_hold(session: date, held_by: str, reason: str) -> EveningHold:
    """Hold a session's evening; call with the run-creation lock held and no hold in force."""
    return EveningHold.objects.create(session=session, held_by=held_by, reason=reason)


def record_release(session: date, released_by: str, now: datetime) -> bool:
    """Let a session's evening go; False when it was not held."""
    held = EveningHold.objects.filter(session=session, released_at=None)
    return bool(held.update(released_by=released_by, released_at=now))


def waiting_runs(session: date) -> list[PipelineRun]:
    """Return the planned runs of a session that wait."""
    waiting = PipelineRun.objects.filter(session=session, status=PipelineRun.Status.WAITING).exclude(intended_at=None)
    return list(waiting.order_by("sequence"))
