"""What readers are told about the picks: ready, being made, or none and why; in plain words, and pure.

Nothing here quotes a stored text: the reasons of runs, findings and people's notes are for operators. Pages, status and
API take their sentences from here alone.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

MAX_PICKS: Final = 50
"""A strategy's list holds up to so many."""
KEEP_RANK: Final = 150
"""A held share stays until its place in the strategy's ranking is below this one, unless `PICKS_KEEP_RANK` says so."""


class State(StrEnum):
    """The three states of the picks."""

    READY = "ready"
    MAKING = "making"
    NONE = "none"


class Stage(StrEnum):
    """How far the work on a session's picks is, while they are not published."""

    UNKNOWN = "unknown"  # to whoever asks
    COMING = "coming"
    RUNNING = "running"
    HELD = "held"
    STOPPED = "stopped"
    LATE = "late"


class Abstention(StrEnum):
    """Why a list has no pick; stored with each publication, empty where the market itself decided."""

    NO_BARS = "no_bars"
    DATA = "data"
    NO_SHARES = "no_shares"
    MODEL = "model"
    DRIFT = "drift"
    SKILL = "skill"
    COSTS = "costs"


_ABSTENTIONS: Final = {
    Abstention.NO_BARS: "the prices of the session were not available",
    Abstention.DATA: "the data of the session did not pass the quality checks",
    Abstention.NO_SHARES: "no share could be traded freely enough",
    Abstention.MODEL: "no recent prediction model has passed its tests",
    Abstention.DRIFT: "the session is unlike all that the prediction model has learnt from",
    Abstention.SKILL: "the prediction model has not been better than chance of late",
    Abstention.COSTS: "what its shares are expected to earn does not cover the costs of buying and selling them",
}
_WITHOUT_PICKS: Final = {
    Stage.UNKNOWN: "are not published yet",
    Stage.HELD: "are held back while something is looked at by hand",
    Stage.STOPPED: "are not ready: their preparation has stopped and has to be continued by hand",
    Stage.LATE: "are not ready: their preparation has not begun",
}


@dataclass(frozen=True)
class Published:
    """The newest lists in force: their session, the one they are meant for, when they came out, and all their picks."""

    session: date
    valid_for: date | None
    at: datetime  # in the time zone to show
    picks: int
    abstention: str = ""
    is_doubtful: bool = False  # the data of the session have failed a check since


@dataclass(frozen=True)
class PicksState:
    """The state of the picks and its sentence; `session` is the one whose picks are ready, being made, or missing."""

    state: State
    sentence: str
    session: date | None


def picks_state(
    session: date | None, published: Published | None, stage: Stage, expected_at: datetime | None = None
) -> PicksState:
    """Return what readers are told.

    Parameters
    ----------
    session
        The latest session that has ended; None where it is not known.
    published
        The newest lists, of whatever session; None before the first.
    stage
        How far the work on the session's picks is; counts only while they are not published.
    expected_at
        When they are expected, in the time zone to show; None without a forecast.
    """
    if published is not None and (session is None or published.session >= session):
        return _of_published(published)
    if session is None:
        return PicksState(State.NONE, "No picks have been published yet.", None)
    shown = f" Until then the latest are those of {day_words(published.session)}." if published else ""
    picks = f"The picks of {day_words(session)}"
    if stage in (Stage.RUNNING, Stage.COMING):
        verb = "are being made" if stage is Stage.RUNNING else "will be made in the evening"
        when = f"about {time_words(expected_at)}" if expected_at else "once all is done: no earlier evening was timed"
        return PicksState(State.MAKING, f"{picks} {verb}; they are expected {when}.{shown}", session)
    return PicksState(State.NONE, f"{picks} {_WITHOUT_PICKS[stage]}.{shown}", session)


def _of_published(published: Published) -> PicksState:
    of_day = f"of {day_words(published.session)}"
    if not published.picks:
        why = _why_none(published.abstention)
        return PicksState(State.NONE, f"There are no picks {of_day}: {why}.", published.session)
    for_day = f", for {day_words(published.valid_for)}," if published.valid_for else ""
    sentence = f"The picks {of_day}{for_day} were published on {time_words(published.at)}."
    if published.is_doubtful:
        sentence += " The data of that session have failed a check since: treat them with caution."
    return PicksState(State.READY, sentence, published.session)


def list_reason(strategy: str, count: int, abstention: str) -> str:
    """Return why a published list is empty or shorter than it might be; empty for a full one."""
    if count >= MAX_PICKS:
        return ""
    if count:
        shares = "1 share" if count == 1 else f"{count} shares"
        return f"{shares} met the conditions of the {strategy} strategy; a list holds up to {MAX_PICKS}."
    if abstention:
        return f"There are no {strategy} picks: {_why_none(abstention)}."
    return f"No share met the conditions of the {strategy} strategy."


def _why_none(abstention: str) -> str:
    is_known = abstention in _ABSTENTIONS
    return _ABSTENTIONS[Abstention(abstention)] if is_known else "no share met the conditions of a strategy"


def day_words(day: date) -> str:
    """A day as `Thursday 30 April 2026`."""
    return f"{day:%A} {day.day} {day:%B %Y}"


def time_words(moment: datetime) -> str:
    """A moment in India Standard Time as `1 May, 02:15 IST`."""
    return f"{moment.day} {moment:%B, %H:%M} IST"
