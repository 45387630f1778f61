"""What may be asked of an order, and in which state; pure.

The projection takes every fact; this table decides what leaves. Whoever asks reads state and pending request under a
lock of the order, so that of two questions at once only one is asked.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from portfolio.orders.projection import Pending, State


class Question(StrEnum):
    """What a person, a plan or the sender may want of an order."""

    QUEUE = "queue"
    SEND = "send"
    CANCEL = "cancel"
    MODIFY = "modify"
    ABANDON = "abandon"


ASKABLE: Final[Mapping[Question, frozenset[State]]] = {
    Question.QUEUE: frozenset((State.CREATED,)),
    # Once alone: what was sent is looked for by its tag, never sent again.
    Question.SEND: frozenset((State.QUEUED,)),
    # Also while a cancel or a modification is pending: the answer to it may have been lost.
    Question.CANCEL: frozenset((State.OPEN, State.PARTLY_FILLED)),
    # Only while nothing is pending: of two changes on their way nobody knows which one holds.
    Question.MODIFY: frozenset((State.OPEN, State.PARTLY_FILLED)),
    # Not while the sender is at it; an order that is open here may have left the book unnoticed, days ago.
    Question.ABANDON: frozenset((State.CREATED, State.QUEUED, State.UNKNOWN, State.OPEN, State.PARTLY_FILLED)),
}
"""Question → states in which it may be asked."""

_REMEDY: Final[Mapping[State, str]] = {
    State.CREATED: "let the checks queue it, or abandon it",
    State.REFUSED: "place a new order that the checks let pass",
    State.QUEUED: "wait until it is sent, or abandon it",
    State.SENDING: "wait for the broker's answer",
    State.UNKNOWN: "wait until its tag is in the broker's book, or look there and abandon it",
    State.OPEN: "cancel or modify it",
    State.PARTLY_FILLED: "cancel or modify it",
    **dict.fromkeys(
        (State.FILLED, State.CANCELLED, State.REJECTED, State.EXPIRED, State.ABANDONED),
        "it has ended; place a new order",
    ),
}


def refusal(question: Question, state: State, pending: Pending | None = None) -> str | None:
    """Why a question may not be asked now, as a sentence with its remedy; None when it may."""
    if state not in ASKABLE[question]:
        return f"An order that is {state} cannot be asked to {question}: {_REMEDY[state]}."
    if question is Question.MODIFY and pending:
        return f"An order whose {pending} is pending cannot be asked to modify: wait for its answer, or cancel it."
    return None
