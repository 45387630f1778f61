"""The broker's books of orders and trades, polled: what they say of our orders is recorded.

Orders are known by their tag, else by the broker's number, never by what they are: a protected market order stands in
the book as a limit order. What is not there any more removes nothing. Orders and fills of nobody are left to the
reconciliation, which records them as external; they stay in the broker's book until then.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q

from brokers import protocol
from brokers.plain_data import plain
from brokers.protocol import IST, Broker, OrderType
from portfolio.models import Order, Trade, TradingAccount
from portfolio.orders.book import events_of_order, record
from portfolio.orders.events import Event, Kind
from portfolio.orders.evidence import PRICED
from portfolio.orders.projection import WORKING, Pending, State
from portfolio.sending.facts import answer_of, events_of_order_row, events_of_trade_row, news
from portfolio.sending.nudges import take_nudge
from portfolio.trading.hours import BOOKS_CLOSE, BOOKS_OPEN

_AT_THE_BROKER: Final = (*WORKING, State.UNKNOWN)
_POLL_EVERY, _POLL_SELDOM = timedelta(seconds=5), timedelta(minutes=1)

logger = logging.getLogger(__name__)


class Book:
    """What one process has read of an account's books."""

    def __init__(self, account: TradingAccount, venue: Broker) -> None:
        self._account, self._venue = account, venue
        self._polled_at: datetime | None = None
        self._known: dict[str, object] = {}
        self._missed: set[int] = set()

    def poll(self, at: datetime) -> None:
        """Read both books when it is time, while an order may stand in them; raises BrokerError."""
        open_hours = BOOKS_OPEN <= at.astimezone(IST).time() < BOOKS_CLOSE
        pause = _POLL_EVERY if open_hours else _POLL_SELDOM
        # A clock that was set back must not put it off.
        is_early = self._polled_at is not None and abs(at - self._polled_at) < pause
        if is_early and not (self._account.is_live and take_nudge(self._account.pk)):
            return
        if Order.objects.filter(account=self._account, status__in=_AT_THE_BROKER).exists():
            self._polled_at = at
            self.read(at)

    def expect_news(self) -> None:
        """Let the next poll read, however short the last one is ago."""
        self._polled_at = None

    def read(self, at: datetime) -> None:
        """Record what both books say; orders first, so that the trades are not older than what orders say of them."""
        rows, trades = self._venue.orders().rows, self._venue.trades().rows
        if _lacks_fills(rows, trades):
            trades = self._venue.trades().rows
        fills: dict[str, list[protocol.Trade]] = defaultdict(list)
        for trade in trades:
            fills[trade.order_id].append(trade)
        mine = self._ours(rows, fills)
        by_number = {row.order_id: row for row in rows}
        for number, order in mine.items():
            self._record(order, number, by_number.get(number), fills[number], at)
        self._miss(mine, trades, at)

    def _ours(self, rows: Sequence[protocol.Order], fills: dict[str, list[protocol.Trade]]) -> dict[str, Order]:
        """The broker's numbers of our orders."""
        tags = {row.tag: row.order_id for row in rows if row.tag}
        numbers = {row.order_id for row in rows} | fills.keys()
        mine = Order.objects.filter(account=self._account, intent__isnull=False).filter(
            Q(tag__in=tags) | Q(broker_order_id__in=numbers)
        )
        ours: dict[str, Order] = {}
        by_tag = {order.tag: order for order in mine}
        for row in rows:
            if row.tag in by_tag:
                ours[row.order_id] = by_tag[row.tag]
        for order in mine:
            if order.broker_order_id in numbers:
                ours.setdefault(order.broker_order_id, order)
        return ours

    def _record(
        self, order: Order, number: str, row: protocol.Order | None, fills: Sequence[protocol.Trade], at: datetime
    ) -> None:
        if self._known.get(number) == (row, fills):
            return
        known = events_of_order(order)
        events = [event for fill in fills for event in events_of_trade_row(fill, at)]
        if row is not None:
            # Where the broker names no time of a change, it was not before the fills that it reports.
            latest = max((event.moment for event in events), default=at)
            read_at = at if row.updated_at else max(at, latest)
            events += [answer_of(number, at), *events_of_order_row(row, read_at), *_changes(order, row, known, at)]
        if fresh := news(events, known):
            record(order, fresh, plain([row, *fills]))
        self._known[number] = (row, list(fills))

    def _miss(self, mine: dict[str, Order], trades: Sequence[protocol.Trade], at: datetime) -> None:
        """Record which orders the book has shown and shows no more, itself or a fill of it."""
        today = at.astimezone(IST).date()
        there, ids = {order.pk for order in mine.values()}, {trade.trade_id for trade in trades}
        orders = Order.objects.filter(account=self._account, intent__isnull=False)
        gone = orders.filter(session=today, events__kind=Kind.SEEN).exclude(pk__in=there)
        lost = Trade.objects.filter(account=self._account, date=today, order__intent__isnull=False)
        numbers = set(gone.values_list("pk", flat=True))
        numbers |= set(lost.exclude(broker_trade_id__in=ids).values_list("order", flat=True))
        for order in orders.filter(pk__in=numbers - self._missed):
            logger.warning("order %s: the broker's book shows less of it than before", order.pk)
            record(order, [Event(Kind.MISSING, f"missing:{at.isoformat()}", "", at)])
        self._missed = numbers


def _lacks_fills(rows: Sequence[protocol.Order], trades: Sequence[protocol.Trade]) -> bool:
    filled: dict[str, int] = defaultdict(int)
    for trade in {(trade.order_id, trade.trade_id): trade for trade in trades}.values():
        filled[trade.order_id] += trade.quantity
    return any(row.filled_quantity > filled[row.order_id] for row in rows)


def _changes(order: Order, row: protocol.Order, known: Sequence[Event], at: datetime) -> list[Event]:
    """The modification that the book shows: one that was asked, or one by hand at the broker."""
    if row.quantity <= 0:
        return []
    priced = OrderType(order.order_type) in PRICED
    price = row.price if priced and row.price is not None else order.price
    request = max(
        (event for event in known if event.kind is Kind.MODIFY_ASKED), key=lambda event: event.sequence, default=None
    )
    is_asked = (
        order.pending == Pending.MODIFY
        and request is not None
        and row.quantity == request.quantity
        and (not priced or request.price in (None, row.price))
    )
    if not is_asked and (row.quantity, price) == (order.quantity, order.price):
        return []
    moment = max(at, request.at) if request else at
    key = f"modified:{request.key}" if is_asked and request else f"modified:{row.quantity}:{price}:{moment.isoformat()}"
    return [Event(Kind.MODIFIED, key, "", moment, quantity=row.quantity, price=price)]
