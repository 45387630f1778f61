"""Cancels and modifications: what was requested is carried out once a process, and the book says what came of it.

Only what surely did not reach the broker is tried again. Of an outcome that nobody told nothing is recorded: the order
stays pending until the book, or another question, decides.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db import transaction

from brokers.charges import Product, Side
from brokers.protocol import OrderRequest, OrderType
from portfolio.models import Order, TradingAccount
from portfolio.orders.asking import Question, refusal
from portfolio.orders.book import events_of_order, lock_account, record
from portfolio.orders.events import Event, Kind
from portfolio.orders.evidence import BROKERS_OWN, PRICED
from portfolio.orders.projection import WORKING, Pending, State

REFUSED_BY: Final = {Kind.CANCEL_ASKED: Kind.CANCEL_REFUSED, Kind.MODIFY_ASKED: Kind.MODIFY_REFUSED}
_CANCEL_AGAIN: Final = timedelta(minutes=1)


def request_of(order: Order, quantity: int | None = None, price: Decimal | None = None) -> OrderRequest:
    """What an order requests of a broker, with another quantity and price if given."""
    kind = OrderType(order.order_type)
    return OrderRequest(
        symbol=order.symbol,
        side=Side(order.side),
        quantity=quantity or order.quantity,
        order_type=kind,
        tag=order.tag or "",
        price=(price or order.price) if kind in PRICED else None,
        trigger_price=order.trigger_price,
        product=Product(order.product),
        series=order.series,
        market_protection=None if order.market_protection == BROKERS_OWN else order.market_protection,
    )


class Requests:
    """The cancels and modifications of one account's orders."""

    def __init__(self, account: TradingAccount) -> None:
        self._account = account
        self._carried_out: dict[tuple[int, str], datetime] = {}

    def ask_all_to_cancel(self, at: datetime) -> None:
        """Ask every working order to be cancelled, and again after a minute in which it was not."""
        for order in Order.objects.filter(account=self._account, status__in=WORKING, intent__isnull=False):
            with transaction.atomic():
                lock_account(self._account.pk)
                order.refresh_from_db()
                if refusal(Question.CANCEL, State(order.status)) or self._is_on_its_way(order, at):
                    continue
                record(order, [Event(Kind.CANCEL_ASKED, f"cancel_asked:kill_switch:{at.isoformat()}", "", at)])

    def due(self) -> Iterator[tuple[Order, Event]]:
        """The requests that are pending and were not carried out by this process, with their orders."""
        pending = Order.objects.filter(account=self._account, status__in=WORKING, intent__isnull=False)
        for order in pending.exclude(pending="").order_by("pk"):
            request = _last_request(order)
            if request and order.broker_order_id and (order.pk, request.key) not in self._carried_out:
                yield order, request

    def note(self, order: Order, request: Event, at: datetime) -> None:
        """Take note that a request was carried out, whatever came of it."""
        self._carried_out[order.pk, request.key] = at

    def _is_on_its_way(self, order: Order, at: datetime) -> bool:
        """Whether a cancel is pending, which was not carried out a minute ago and is still open."""
        request = _last_request(order) if order.pending == Pending.CANCEL else None
        if request is None:
            return False
        since = self._carried_out.get((order.pk, request.key))
        return since is None or abs(at - since) < _CANCEL_AGAIN


def _last_request(order: Order) -> Event | None:
    requests = [event for event in events_of_order(order) if event.kind in REFUSED_BY]
    return max(requests, key=lambda event: event.sequence, default=None)
