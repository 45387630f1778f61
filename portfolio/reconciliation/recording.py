"""Takes over from the broker what is missing here: through the order book, and nothing but the broker's own rows."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime

from brokers.protocol import Order as BookRow
from brokers.protocol import OrderState
from brokers.protocol import Trade as TradeRow
from portfolio.models import Order, TradingAccount
from portfolio.orders import book
from portfolio.orders.events import Event, Kind
from portfolio.reconciliation.comparison import OurOrder, OurSide, day_of_row, order_of_row, order_of_trade
from portfolio.sending.facts import answer_of, events_of_order_row, events_of_trade_row, news


def record_rows(
    account: TradingAccount, ours: OurSide, rows: Sequence[BookRow], trades: Sequence[TradeRow], at: datetime
) -> None:
    """Record each row of the broker's book and list of trades with its order; what is known already adds nothing.

    An order that is not ours is recorded as external. A trade whose order no row and no number of ours names waits:
    only its order says whether shares were bought or sold.
    """
    events: dict[int, list[Event]] = defaultdict(list)
    by_number: dict[str, int] = {}
    for row in rows:
        order = order_of_row(row, ours.orders, ours.day)
        key = int(order.key) if order else _external(account, row, ours.day, at)
        if key is not None:
            by_number[row.order_id] = key
            events[key] += _events_of(row, order, at)
    for trade in trades:
        order = order_of_trade(trade, ours)
        key = by_number.get(trade.order_id) or (int(order.key) if order else None)
        if key is not None:
            events[key] += events_of_trade_row(trade, at)
    for order_row in Order.objects.filter(pk__in=events).order_by("pk"):
        fresh = news(events[order_row.pk], book.events_of_order(order_row))
        if fresh:
            book.record(order_row, fresh)


def _external(account: TradingAccount, row: BookRow, day: date, at: datetime) -> int | None:
    if row.quantity <= 0:
        return None
    order, _ = book.external_order(account, row, day_of_row(row, day), at)
    return order.pk


def _events_of(row: BookRow, order: OurOrder | None, at: datetime) -> list[Event]:
    events = events_of_order_row(row, at)
    if order is not None and not order.broker_order_id:
        events.append(answer_of(row.order_id, at))
    if order is not None and _was_modified_there(row, order):
        key = f"modified there:{row.quantity}:{row.price}"
        events.append(Event(Kind.MODIFIED, key, "", at, quantity=row.quantity, price=row.price))
    return events


def _was_modified_there(row: BookRow, order: OurOrder) -> bool:
    """Whether the broker's quantity holds: of an external order always, of ours once it is filled.

    A book that lags behind a modification of ours still shows the old quantity.
    """
    if row.quantity <= 0 or row.quantity == order.quantity:
        return False
    return order.is_external or row.status is OrderState.FILLED
