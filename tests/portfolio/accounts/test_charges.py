"""Charges in the ledger: the lines of the day's note, once, and what a late fill changes beside them."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from brokers.charges import Fill, Side, note_charges
from brokers.protocol import OrderType
from portfolio.accounts.charges import post_charges
from portfolio.models import LedgerEntry, Order, Position, User
from portfolio.orders import book
from portfolio.orders.events import Event, Kind
from portfolio.orders.evidence import Draft
from tests.accounts import DAY, IST, paper_account

pytestmark = pytest.mark.django_db
AT = datetime(2026, 2, 2, 9, 20, tzinfo=IST)


@pytest.fixture
def account(db):
    return paper_account(User.objects.create_user("asha"))


def filled(account, symbol: str, side: Side, *fills: tuple[int, str]) -> Order:
    total = sum(quantity for quantity, _ in fills)
    draft = Draft("1", DAY, symbol, side, total, OrderType.LIMIT, Decimal(200))
    order, _ = book.order_for(account, book.Wish(draft, f"by_hand {symbol} {side} {fills}"), AT)
    book.record(order, [Event(Kind.QUEUE, "queue", "", AT), Event(Kind.SEND, "send", "", AT)])
    for number, (quantity, price) in enumerate(fills):
        trade_id = f"{order.pk}.{number}"
        fill: dict[str, Any] = {"trade_id": trade_id, "quantity": quantity, "price": Decimal(price), "broker_at": AT}
        order = book.record(order, [Event(Kind.FILL, trade_id, str(order.pk), AT, **fill)])
    return order


def posted() -> dict[str, Decimal]:
    rows = LedgerEntry.objects.filter(kind__in=("charge", "dp_charge", "correction"))
    return {row.reference: row.amount for row in rows}


def test_the_lines_of_the_days_note_are_entered_once(account):
    filled(account, "AAA", Side.BUY, (60, "100.00"), (40, "101.00"))
    filled(account, "BBB", Side.SELL, (100, "150.00"))
    for _ in range(2):
        post_charges(account, DAY)
    # By hand: turnover 10,040 + 15,000; 0.1 % tax on both (₹25); 0.00297 %; 0.015 % of what was bought; DP 13 + 18 %.
    assert posted() == {
        "2026-02-02:stt": Decimal(-25),
        "2026-02-02:exchange": Decimal("-0.74"),
        "2026-02-02:ipft": Decimal("-0.03"),
        "2026-02-02:sebi": Decimal("-0.03"),
        "2026-02-02:stamp_duty": Decimal("-1.51"),
        "2026-02-02:gst": Decimal("-0.14"),
        "2026-02-02:dp:BBB": Decimal("-15.34"),
    }
    assert {row.symbol for row in LedgerEntry.objects.filter(kind="dp_charge")} == {"BBB"}


def test_a_fill_after_the_charges_is_set_right_by_corrections_beside(account):
    filled(account, "AAA", Side.BUY, (100, "100.00"))
    post_charges(account, DAY)
    before = posted()
    filled(account, "BBB", Side.SELL, (100, "150.00"))
    fills = [
        Fill("1", "AAA", Side.BUY, 100, Decimal(100)),
        Fill("2", "BBB", Side.SELL, 100, Decimal(150)),
    ]
    note = note_charges("zerodha", DAY, fills)
    after = posted()
    assert before.items() <= after.items()
    assert after["2026-02-02:stt#1"] == Decimal(-15)
    assert sum(after.values()) == -(note.total + note.dp)
    assert all(row.reason for row in LedgerEntry.objects.filter(kind="correction"))


def test_a_fill_that_another_order_claims_takes_no_charges_twice(account):
    order = filled(account, "AAA", Side.BUY, (100, "100.00"))
    post_charges(account, DAY)
    total = sum(posted().values())
    earlier, _ = book.order_for(account, book.Wish(Draft("1", DAY, "AAA", Side.BUY, 100, OrderType.LIMIT), "x"), AT)
    at = AT.replace(minute=10)
    fill: dict[str, Any] = {"trade_id": f"{order.pk}.0", "quantity": 100, "price": Decimal(100), "broker_at": at}
    book.record(earlier, [Event(Kind.FILL, "again", str(earlier.pk), at, **fill)])
    assert sum(posted().values()) == total
    assert LedgerEntry.objects.filter(kind="fill").count() == 1


def test_positions_count_charges_as_the_tax_does(account):
    """By hand: 100 bought at 100 cost 10,000 + 0.30 + 0.01 + 0.01 + 1.50 + 0.06; the transaction tax does not count."""
    filled(account, "AAA", Side.BUY, (100, "100.00"))
    filled(account, "AAA", Side.SELL, (100, "110.00"))
    post_charges(account, DAY)
    position = Position.objects.get()
    counted = sum(amount for reference, amount in posted().items() if "stt" not in reference and "dp" not in reference)
    assert (position.quantity, position.average_price) == (0, None)
    assert position.realised_profit == 1000 + counted
