"""What a broker's book says, as events of an order; pure.

The same row is the same event: keys are made of what the row says, never of when or by whom it was read. A broker that
names no time of a change leaves only the time of the reading; `news` then keeps it from counting again.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final

from brokers import protocol
from brokers.protocol import IST, OrderState
from portfolio.orders.events import BookStatus, Event, Kind

STATUSES: Final = {
    OrderState.IN_TRANSIT: BookStatus.OPEN,
    OrderState.OPEN: BookStatus.OPEN,
    OrderState.FILLED: BookStatus.COMPLETE,
    OrderState.CANCELLED: BookStatus.CANCELLED,
    OrderState.REJECTED: BookStatus.REJECTED,
    OrderState.EXPIRED: BookStatus.EXPIRED,
}
"""The adapters' states that make an event; one that they call unknown makes none."""


def events_of_order_row(row: protocol.Order, at: datetime) -> list[Event]:
    """Return what a row of the order book says, read at a moment; nothing for a status that nobody knows."""
    status = STATUSES.get(row.status)
    if status is None:
        return []
    broker_at = (row.updated_at or at).astimezone(IST)
    return [
        Event(
            *(Kind.SEEN, f"seen:{status}:{row.filled_quantity}:{broker_at.isoformat()}", "", at),
            status=status,
            filled_quantity=row.filled_quantity,
            broker_at=broker_at,
        )
    ]


def events_of_trade_row(row: protocol.Trade, at: datetime) -> list[Event]:
    """Return the fill that a row of the trade book is, read at a moment; a row without shares or price is none."""
    if row.quantity <= 0 or row.price <= 0:
        return []
    broker_at = (row.traded_at or at).astimezone(IST)
    return [
        Event(
            *(Kind.FILL, f"fill:{broker_at:%Y-%m-%d}:{row.trade_id}", "", at),
            trade_id=row.trade_id,
            quantity=row.quantity,
            price=row.price,
            broker_at=broker_at,
            exchange=row.exchange,
        )
    ]


def answer_of(order_id: str, at: datetime) -> Event:
    """The broker's number of an order, from its answer or from its book."""
    return Event(Kind.ANSWER, f"answer:{order_id}", "", at, broker_order_id=order_id)


def news(events: Iterable[Event], known: Sequence[Event]) -> list[Event]:
    """Return those of the events that say more than the known ones."""
    keys = {event.key for event in known}
    fills = {(event.fill_id, event.quantity, event.price) for event in known if event.kind is Kind.FILL}
    statuses = sorted((event for event in known if event.kind is Kind.SEEN), key=lambda event: event.sequence)
    last = (statuses[-1].status, statuses[-1].filled_quantity) if statuses else None
    return [event for event in events if not _is_known(event, keys, fills, last)]


def _is_known(event: Event, keys: set[str], fills: Collection[object], last: object) -> bool:
    if event.kind is Kind.FILL:
        return (event.fill_id, event.quantity, event.price) in fills
    if event.kind is Kind.SEEN:
        return event.key in keys or (event.status, event.filled_quantity) == last
    return event.key in keys
