"""What a broker answers when an account is reconciled."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from brokers.protocol import IST, Broker, BrokerError, Funds, Holding, Order, Position, Trade
from portfolio.orders.projection import WORKING
from portfolio.reconciliation.comparison import OurOrder, order_of_row
from portfolio.trading.hours import BOOKS_CLOSE


@dataclass(frozen=True)
class Answers:
    """Rows of the broker; None where it did not answer. `error` is its first refusal: nothing was asked after it."""

    orders: Sequence[Order] | None = None
    trades: Sequence[Trade] | None = None
    holdings: Sequence[Holding] | None = None
    positions: Sequence[Position] | None = None
    funds: Funds | None = None
    error: BrokerError | None = None


def answers_of(venue: Broker) -> Answers:
    """Ask for orders, then trades (so that what the orders say is filled has its trades), holdings and funds."""
    calls: dict[str, Callable[[], Any]] = {
        "orders": lambda: venue.orders().rows,
        "trades": lambda: venue.trades().rows,
        "holdings": lambda: venue.holdings().rows,
        "positions": lambda: venue.positions().rows,
        "funds": venue.funds,
    }
    answered: dict[str, Any] = {}
    for name, call in calls.items():
        try:
            answered[name] = call()
        except BrokerError as error:
            return Answers(**answered, error=error)
    return Answers(**answered)


def with_open_orders_again(
    venue: Broker, rows: Sequence[Order], ours: Iterable[OurOrder], at: datetime
) -> Sequence[Order]:
    """The book's rows; from 16:10 on each order that is still open here is looked for by its tag once more.

    That it is gone from the book, or open after the close, proves nothing: the broker is asked, nothing is expired.
    """
    local = at.astimezone(IST)
    if local.time() < BOOKS_CLOSE:
        return rows
    book = {row.order_id: row for row in rows}
    for order in ours:
        if order.status in WORKING and order.tag:
            with suppress(BrokerError):  # then it stays as the book had it
                again = venue.find_by_tag(order.tag).rows
                book |= {row.order_id: row for row in again if order_of_row(row, [order], local.date())}
    return list(book.values())
