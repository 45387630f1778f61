"""The checks of an order, asked again right before it is sent: since it was queued, prices and account have moved."""

from collections.abc import Sequence
from datetime import datetime

from portfolio.models import Order
from portfolio.orders.desk import draft_of
from portfolio.orders.gathered import evidence_for
from portfolio.orders.risk import Refusal, refusals


def checked_again(order: Order, at: datetime) -> Sequence[Refusal]:
    """Return what refuses an order at a moment, by the tables as they are."""
    draft = draft_of(order)
    return refusals(draft, evidence_for(order.account, draft, at, own=order, strategy=order.strategy))
