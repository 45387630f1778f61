"""Accounts at loopback venues, and one way to make each call."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from brokers.charges import Side
from brokers.http import AnswerLimits
from brokers.protocol import IST, OrderRequest, OrderType
from brokers.registry import Access, Transport, open_broker
from tests.brokers.fyers_venue import fyers_venue
from tests.brokers.kite_venue import kite_venue
from tests.brokers.venue import Venue

NOW = datetime(2026, 11, 30, 10, 0, 5, tzinfo=IST)
TAG = "CI2FM6ASGRLHQERUKZ4B"
TOKEN = "s3cret-access-token"
LIMITS = AnswerLimits(silence_seconds=0.05, answer_seconds=0.08)
PATIENT = AnswerLimits(silence_seconds=20, answer_seconds=30)
VENUES = {"zerodha": kite_venue, "fyers": fyers_venue}
REQUEST = OrderRequest("SBIN", Side.BUY, 10, OrderType.LIMIT, "TAGOFATEST", Decimal("430.05"))
CALLS: dict[str, Callable[[Any], object]] = {
    "profile": lambda broker: broker.profile(),
    "funds": lambda broker: broker.funds(),
    "holdings": lambda broker: broker.holdings(),
    "positions": lambda broker: broker.positions(),
    "orders": lambda broker: broker.orders(),
    "trades": lambda broker: broker.trades(),
    "quotes": lambda broker: broker.quotes(["SBIN"]),
    "history": lambda broker: broker.history("SBIN", date(2026, 11, 26), date(2026, 11, 27)),
    "symbol_master": lambda broker: broker.symbol_master(),
    "find_by_tag": lambda broker: broker.find_by_tag(TAG),
    "place": lambda broker: broker.place(REQUEST),
    "modify": lambda broker: broker.modify("1001", REQUEST),
    "cancel": lambda broker: broker.cancel("1001"),
}


@contextmanager
def account(name: str, venue: Venue, limits: AnswerLimits = PATIENT, pauses: tuple[float, ...] = ()) -> Iterator[Any]:
    transport = Transport(limits, pauses=pauses, root=venue.root, public_root=venue.root)
    with closing(open_broker(name, Access("app-100", TOKEN), transport, lambda: NOW)) as broker:
        yield broker
