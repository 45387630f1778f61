"""The orders of a file of events; pure.

A fill counts once in its account (R1), and a file says of which account an order is by the `account` of its events.
Of orders that name the same account, a trade id of one exchange and day counts for the order whose fill is first by
the order of R2, and for no other; on another day it is another fill. Orders that name none are taken for orders of
different accounts: nothing says that they share one.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from portfolio.orders.events import Event, EventError, FillId, Kind, distinct
from portfolio.orders.projection import Projection, projection


def replayed(events: Iterable[Event]) -> dict[str, Projection]:
    """The projection of each order, by its id, sorted.

    Raises
    ------
    EventError
        When the events of an order name two accounts.
    """
    histories: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        histories[event.order].append(event)
    elsewhere = counted_elsewhere(histories)
    return {order: projection(histories[order], elsewhere.get(order, ())) for order in sorted(histories)}


def counted_elsewhere(histories: Mapping[str, Sequence[Event]]) -> dict[str, set[FillId]]:
    """Of each order, its fills that count for another order of its account."""
    fills: dict[tuple[str, FillId], list[Event]] = defaultdict(list)
    for history in histories.values():
        account = _account(history)
        for event in distinct(history) if account else ():
            if event.kind is Kind.FILL:
                fills[account, event.fill_id].append(event)
    elsewhere: dict[str, set[FillId]] = defaultdict(set)
    for (_, fill_id), rivals in fills.items():
        owner = min(rivals, key=lambda event: event.sequence).order
        for rival in rivals:
            if rival.order != owner:
                elsewhere[rival.order].add(fill_id)
    return elsewhere


def _account(history: Sequence[Event]) -> str:
    accounts = sorted({event.account for event in history} - {""})
    if len(accounts) > 1:
        raise EventError(
            f"Order {history[0].order!r} names the accounts {' and '.join(accounts)}: an order is of one; correct it."
        )
    return accounts[0] if accounts else ""


def as_object(orders: Mapping[str, Projection]) -> dict[str, dict[str, dict[str, Any]]]:
    """For JSON: amounts as text, quantities as integers, an empty text where there is none."""
    return {
        "orders": {
            order: {
                "state": row.state.value,
                "filled_quantity": row.filled_quantity,
                "average_price": "" if row.average_price is None else f"{row.average_price:f}",
                "pending": row.pending.value if row.pending else "",
                "alarms": [alarm.value for alarm in row.alarms],
            }
            for order, row in orders.items()
        }
    }
