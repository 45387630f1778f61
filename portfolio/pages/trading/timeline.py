"""The events of an order as sentences, in the order in which they were written down."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from portfolio.models import OrderEvent
from portfolio.orders.events import Kind
from portfolio.templatetags.figures import amount, whole

Content = dict[str, Any]


@dataclass(frozen=True)
class Moment:
    """What happened: by our clock, and by the broker's where it names one."""

    at: datetime
    broker_at: datetime | None
    kind: str
    sentence: str
    details: tuple[str, ...] = ()


def _terms(content: Content) -> str:
    price = content.get("price")
    return f"{whole(content['quantity'])} shares" + (f" at {amount(price)}" if price is not None else "")


_SENTENCES: Final[dict[str, Callable[[Content], str]]] = {
    Kind.CREATE: lambda content: f"It was wanted: {content['side']} {whole(content['quantity'])} shares.",
    Kind.REFUSE: lambda content: "Our checks refuse it: nothing was sent.",
    Kind.QUEUE: lambda content: "The checks let it pass; it waits for the sender.",
    Kind.SEND: lambda content: "It is sent.",
    Kind.ANSWER: lambda content: f"The broker took it in as {content['broker_order_id']}.",
    Kind.NO_ANSWER: lambda content: "No answer came: its tag is looked for, and nothing is sent again.",
    Kind.REJECT: lambda content: f"The broker rejects it: {content['reason']}",
    Kind.SEEN: lambda content: (
        f"The broker’s book says {content['status']}, {whole(content['filled_quantity'])} filled."
    ),
    Kind.FILL: lambda content: f"Filled: {_terms(content)}, trade {content['trade_id']}.",
    Kind.CANCEL_ASKED: lambda content: "A cancel was asked for.",
    Kind.CANCEL_REFUSED: lambda content: "The broker does not cancel it.",
    Kind.MODIFY_ASKED: lambda content: f"A change was asked for: {_terms(content)}.",
    Kind.MODIFIED: lambda content: f"The change holds: {_terms(content)}.",
    Kind.MODIFY_REFUSED: lambda content: "The broker does not change it.",
    Kind.MISSING: lambda content: "It is not in the broker’s book; that proves nothing.",
    Kind.ABANDON: lambda content: f"{content['operator']} gives it up: {content['reason']}",
}


def timeline(rows: list[OrderEvent]) -> list[Moment]:
    """The events of an order, oldest first."""
    return [_moment(row) for row in sorted(rows, key=lambda row: (row.at, row.pk))]


def _moment(row: OrderEvent) -> Moment:
    return Moment(row.at, row.broker_at, row.kind, _SENTENCES[row.kind](row.content), tuple(checks_of(row)))


def checks_of(row: OrderEvent) -> list[str]:
    """The sentences of the checks that refuse an order; their codes where no sentence was kept."""
    if row.kind != Kind.REFUSE:
        return []
    kept = dict((row.raw or {}).get("refusals", ()))
    return [f"{kept[code]} ({code})" if code in kept else code for code in row.content["checks"]]
