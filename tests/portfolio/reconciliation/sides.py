"""Rows of both sides, in a few words."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from brokers.charges import Side
from brokers.protocol import Order, OrderState, OrderType, Trade
from portfolio.orders.events import FillId
from portfolio.orders.projection import State
from portfolio.reconciliation.comparison import BrokersSide, OurFill, OurOrder, OurSide, differences
from tests.accounts import DAY, IST

AT: Final = datetime(2026, 2, 2, 10, 0, tzinfo=IST)


def order_here(key: str = "1", status: State = State.OPEN, filled: int = 0, **changes: Any) -> OurOrder:
    values: dict[str, Any] = {"symbol": "AAA", "session": DAY, "quantity": 10}
    values |= {"tag": f"TAG{key}", "broker_order_id": f"B{key}"}
    return OurOrder(key, filled_quantity=filled, status=status, **(values | changes))


def order_there(key: str = "1", status: OrderState = OrderState.OPEN, filled: int = 0, **changes: Any) -> Order:
    values: dict[str, Any] = {
        "order_id": f"B{key}",
        "tag": f"TAG{key}",
        "symbol": "AAA",
        "side": Side.BUY,
        "product": "cnc",
        "order_type": OrderType.LIMIT,
        "quantity": 10,
        "price": Decimal(100),
        "average_price": None,
        "vendor_status": status.upper(),
        "message": None,
        "placed_at": AT,
    }
    return Order(status=status, filled_quantity=filled, **(values | changes))


def fill_here(trade_id: str, order: str = "1", quantity: int = 6, price: str = "100", day: date = DAY) -> OurFill:
    return OurFill(FillId("NSE", day, trade_id), order, "AAA", quantity, Decimal(price))


def trade_there(trade_id: str, order: str = "1", quantity: int = 6, price: str = "100", at: datetime = AT) -> Trade:
    return Trade(trade_id, f"B{order}", "AAA", quantity, Decimal(price), at)


def classes(ours: OurSide, theirs: BrokersSide) -> dict[str, str]:
    """Subject → class."""
    rows = differences(ours, theirs)
    assert len({row.subject for row in rows}) == len(rows)
    return {row.subject: row.kind.value for row in rows}
