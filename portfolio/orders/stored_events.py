"""Events as rows of `order_events`, and back."""

import hashlib
import json
from decimal import Decimal
from typing import Any, Final

from brokers.charges import Side
from portfolio.models import OrderEvent
from portfolio.orders.events import FIELDS, OPTIONAL, BookStatus, Event, Kind

_AMOUNTS: Final = ("price",)


def row_of(event: Event, order: int, raw: Any = None) -> OrderEvent:
    """The row of an event, unsaved; `raw` is what the broker answered, without secrets."""
    content = {name: _plain(getattr(event, name)) for name in _names(event.kind)}
    return OrderEvent(
        order_id=order,
        key=event.key,
        kind=event.kind.value,
        at=event.at,
        broker_at=event.broker_at,
        content=content,
        raw=raw,
        digest=_digest(event, content),
    )


def event_of_row(row: OrderEvent, account: int) -> Event:
    """The event of a row, of an order of an account."""
    content = dict(row.content)
    for name in _AMOUNTS:
        if content.get(name) is not None:
            content[name] = Decimal(content[name])
    if "side" in content:
        content["side"] = Side(content["side"])
    if "status" in content:
        content["status"] = BookStatus(content["status"])
    if "checks" in content:
        content["checks"] = tuple(content["checks"])
    kind = Kind(row.kind)
    return Event(kind, row.key, str(row.order_id), row.at, str(account), broker_at=row.broker_at, **content)


def _names(kind: Kind) -> list[str]:
    return [name for name in (*FIELDS[kind], *OPTIONAL.get(kind, ())) if name != "broker_at"]


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value if isinstance(value, int) or value is None else str(value)


def _digest(event: Event, content: dict[str, Any]) -> str:
    """Of what happened and when, by the clock that orders it: a fact that is heard twice is the same."""
    facts = [event.kind.value, event.moment.isoformat(), content]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]
