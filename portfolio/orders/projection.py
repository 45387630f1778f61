"""What an order is, from its events alone; pure. The rules R1-R6 are those of docs/ORDERS.md.

Nothing here refuses an event: what contradicts itself is counted as the rules say and shown by an alarm.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from math import floor
from typing import Final

from portfolio.orders.events import BookStatus, Event, FillId, Kind, distinct

_UNITS: Final = 10_000
"""Units of the average price in a rupee: it has four decimals."""


class State(StrEnum):
    """Where an order is."""

    CREATED = "created"
    REFUSED = "refused"
    QUEUED = "queued"
    SENDING = "sending"
    UNKNOWN = "unknown"
    OPEN = "open"
    PARTLY_FILLED = "partly_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    ABANDONED = "abandoned"


class Pending(StrEnum):
    """What was asked of an open order and has neither been refused nor done."""

    CANCEL = "cancel"
    MODIFY = "modify"


class Alarm(StrEnum):
    """A contradiction; it blocks new orders of the account until an operator closes it with a reason."""

    FILL_BEFORE_SEND = "fill_before_send"
    FILLS_MISSING = "fills_missing"
    LATE_FILL = "late_fill"
    OVERFILL = "overfill"


WORKING: Final = frozenset((State.OPEN, State.PARTLY_FILLED))
"""States of an order that stands in the broker's book."""
SENT: Final = frozenset((State.SENDING, State.UNKNOWN, *WORKING))
"""States of an order that was sent and has no known end."""
UNFINISHED: Final = frozenset((State.QUEUED, *SENT))
"""States of an order that may still be filled."""
_ENDED: Final = frozenset((BookStatus.CANCELLED, BookStatus.REJECTED, BookStatus.EXPIRED))
_ENDED_BY: Final = {
    Kind.CANCEL_ASKED: (Pending.CANCEL, (Kind.CANCEL_REFUSED,)),
    Kind.MODIFY_ASKED: (Pending.MODIFY, (Kind.MODIFY_REFUSED, Kind.MODIFIED)),
}
"""Request → what it is pending as, and what ends it; a cancel that was done ends the order."""


@dataclass(frozen=True)
class Projection:
    """An order as its events leave it.

    `quantity` is None while no event says it, `average_price` (₹, four decimals) while nothing is filled.
    `contradictions` says of each alarm which facts ring it.
    """

    state: State
    quantity: int | None
    filled_quantity: int
    average_price: Decimal | None
    pending: Pending | None
    contradictions: Mapping[Alarm, str]

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        return tuple(self.contradictions)


def projection(events: Iterable[Event], elsewhere: Collection[FillId] = frozenset()) -> Projection:
    """The order whose events these are, in whichever order they arrive.

    Parameters
    ----------
    events : of one order; of those that share a key, and of fills that share exchange, day and trade id, the first by
        the order of R2 counts, then by key and content, so that the answer does not depend on what arrived first
    elsewhere : fills that count for another order of the account, and therefore not for this one
    """
    history = counted(events, elsewhere)
    fills = [event for event in history if event.kind is Kind.FILL]
    statuses = [event for event in history if event.kind is Kind.SEEN]
    quantity, filled = _quantity(history), sum(fill.quantity for fill in fills)
    state = _state(history, statuses, quantity, filled)
    return Projection(
        state=state,
        quantity=quantity,
        filled_quantity=filled,
        average_price=_average(fills, filled),
        pending=_pending(history) if state in WORKING else None,
        contradictions=_contradictions(history, fills, statuses, quantity, filled),
    )


def counted(events: Iterable[Event], elsewhere: Collection[FillId] = frozenset()) -> list[Event]:
    """The events that count, by the broker's clock for its facts and by ours for our own (R1, R2)."""
    history: list[Event] = []
    fills = set(elsewhere)
    for event in distinct(events):
        if event.kind is Kind.FILL:
            if event.fill_id in fills:
                continue
            fills.add(event.fill_id)
        history.append(event)
    return history


def _quantity(history: Sequence[Event]) -> int | None:
    """R3: of `create`, or of the last `modified`."""
    created = [event.quantity for event in history if event.kind is Kind.CREATE]
    modified = [event.quantity for event in history if event.kind is Kind.MODIFIED]
    return next(iter([*modified[-1:], *created[:1]]), None)


def _average(fills: Sequence[Event], filled: int) -> Decimal | None:
    """R3: exact to the last unit before it is rounded half up."""
    if not filled:
        return None
    value = sum((Fraction(fill.price or 0) * fill.quantity for fill in fills), Fraction(0))
    units = floor(value * _UNITS / filled + Fraction(1, 2))
    return Decimal(units).scaleb(-4)


def _state(history: Sequence[Event], statuses: Sequence[Event], quantity: int | None, filled: int) -> State:
    """R4: the first that holds."""
    kinds = {event.kind for event in history}
    last = statuses[-1].status if statuses else None
    rules = (
        (State.FILLED, quantity is not None and filled >= quantity),
        (State.CANCELLED, last is BookStatus.CANCELLED),
        (State.REJECTED, last is BookStatus.REJECTED),
        (State.EXPIRED, last is BookStatus.EXPIRED),
        (State.REJECTED, Kind.REJECT in kinds),
        (State.ABANDONED, Kind.ABANDON in kinds),
        (State.PARTLY_FILLED, filled > 0),
        (State.OPEN, Kind.ANSWER in kinds or Kind.SEEN in kinds),
        (State.UNKNOWN, Kind.NO_ANSWER in kinds),
        (State.SENDING, Kind.SEND in kinds),
        (State.REFUSED, Kind.REFUSE in kinds),
        (State.QUEUED, Kind.QUEUE in kinds),
        (State.CREATED, True),
    )
    return next(state for state, holds in rules if holds)


def _pending(history: Sequence[Event]) -> Pending | None:
    """R5: what the last request waits for."""
    pending: Pending | None = None
    ends: tuple[Kind, ...] = ()
    for event in history:
        if event.kind in _ENDED_BY:
            pending, ends = _ENDED_BY[event.kind]
        elif event.kind in ends:
            pending = None
    return pending


def _contradictions(
    history: Sequence[Event],
    fills: Sequence[Event],
    statuses: Sequence[Event],
    quantity: int | None,
    filled: int,
) -> dict[Alarm, str]:
    """R6: the alarms by their names, each with the facts that ring it."""
    ends: list[datetime] = [event.moment for event in history if event.status in _ENDED or event.kind is Kind.ABANDON]
    last = statuses[-1] if statuses else None
    was_sent = any(event.kind is Kind.SEND for event in history)
    late = sum(fill.quantity for fill in fills if ends and fill.moment > min(ends))
    is_more_reported = last and last.status is not BookStatus.OPEN and last.filled_quantity > filled
    facts = {
        Alarm.OVERFILL: f"{filled} filled of {quantity}" if quantity is not None and filled > quantity else "",
        Alarm.FILL_BEFORE_SEND: f"{filled} filled" if fills and not was_sent else "",
        Alarm.LATE_FILL: f"{late} filled late" if late else "",
        Alarm.FILLS_MISSING: f"{last.filled_quantity} reported, {filled} known" if last and is_more_reported else "",
    }
    return {alarm: facts[alarm] for alarm in sorted(facts) if facts[alarm]}
