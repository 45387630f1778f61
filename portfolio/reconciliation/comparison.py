"""Both sides of an account compared: differences, each of exactly one class; pure.

Nothing is concluded from what is absent: what a side could not say is None and is not compared. No fill follows from a
holding, no order from anything but the broker's own row of it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from brokers.protocol import IST, Order, OrderState, Trade
from portfolio.orders.events import FillId
from portfolio.orders.projection import WORKING, State

CASH_TOLERANCE: Final = Decimal(1)
"""₹; the cash of both sides may differ by it."""
CHARGES_TOLERANCE: Final = Decimal("0.01")
"""₹ a line of a contract note."""
CASH: Final = "cash"


class DifferenceKind(StrEnum):
    """The classes of differences; what is done about each is in docs/ORDERS.md."""

    FILL_MISSING_HERE = "fill_missing_here"
    STATE_BEHIND = "state_behind"
    FOREIGN_ORDER = "foreign_order"
    FOREIGN_FILL = "foreign_fill"
    ORDER_MISSING_THERE = "order_missing_there"
    FILL_UNKNOWN_THERE = "fill_unknown_there"
    QUANTITY_DIFFERS = "quantity_differs"
    CASH_DIFFERS = "cash_differs"
    CHARGES_DIFFER = "charges_differ"
    EVENT_DUE = "event_due"


RECORDED: Final = (DifferenceKind.FILL_MISSING_HERE, DifferenceKind.STATE_BEHIND)
"""They are settled by recording what the broker says."""
BLOCKING: Final = frozenset(
    (
        DifferenceKind.FILL_UNKNOWN_THERE,
        DifferenceKind.QUANTITY_DIFFERS,
        DifferenceKind.CASH_DIFFERS,
        DifferenceKind.CHARGES_DIFFER,
    )
)
"""They block the account's next day until they are closed with a correction."""

ACTIONS: Final[Mapping[DifferenceKind, str]] = {
    DifferenceKind.FILL_MISSING_HERE: "Recorded from the broker.",
    DifferenceKind.STATE_BEHIND: "Recorded from the broker.",
    DifferenceKind.FOREIGN_ORDER: "Recorded as placed at the broker: counted, shown, never touched.",
    DifferenceKind.FOREIGN_FILL: "Recorded as bought or sold at the broker: counted in the holdings, shown.",
    DifferenceKind.ORDER_MISSING_THERE: "Stays as it is and blocks its share: absence is no proof.",
    DifferenceKind.FILL_UNKNOWN_THERE: "Blocks the account's next day until it is closed with a correction.",
    DifferenceKind.QUANTITY_DIFFERS: "Blocks the account's next day until it is closed with a correction.",
    DifferenceKind.CASH_DIFFERS: "Blocks the account's next day until it is closed with a correction.",
    DifferenceKind.CHARGES_DIFFER: "Blocks the account's next day until it is closed with a correction.",
    DifferenceKind.EVENT_DUE: "Waits for the other side to book the split or bonus.",
}
"""Class → what is done about it."""
WAITS_FOR_ORDER: Final = "Waits for the row of its order: only that says whether shares were bought or sold."
SAME_TAG: Final = "It carries the tag of an order that stands in the book as another: cancel one of them at the broker."
NO_QUANTITY: Final = "Shown alone: the broker's row has no quantity that an order can have."

_EXPECTED: Final[Mapping[OrderState, frozenset[State]]] = {
    OrderState.IN_TRANSIT: WORKING,
    OrderState.OPEN: WORKING,
    OrderState.FILLED: frozenset((State.FILLED,)),
    OrderState.CANCELLED: frozenset((State.CANCELLED,)),
    OrderState.REJECTED: frozenset((State.REJECTED,)),
    OrderState.EXPIRED: frozenset((State.EXPIRED,)),
}
"""What the broker's book says → the states here that agree."""


@dataclass(frozen=True)
class OurOrder:
    """An order as it stands here."""

    key: str
    symbol: str
    session: date
    quantity: int
    filled_quantity: int
    status: State
    tag: str = ""
    broker_order_id: str = ""
    is_external: bool = False


@dataclass(frozen=True)
class OurFill:
    """A fill that counts here: of the day, or of another day of which the broker still lists trades."""

    fill_id: FillId
    order: str
    symbol: str
    quantity: int
    price: Decimal


@dataclass(frozen=True)
class NoteLine:
    """A line of an imported contract note, beside what the account's own fills of that session come to (₹)."""

    number: str
    name: str
    ours: Decimal
    stated: Decimal


@dataclass(frozen=True)
class OurSide:
    """What this system knows on a day.

    `holdings` and `cash` are None where they are not compared. `due` names of each share how many shares came (or went)
    by each split or bonus of the last sessions.
    """

    day: date
    orders: Sequence[OurOrder] = ()
    fills: Sequence[OurFill] = ()
    holdings: Mapping[str, int] | None = None
    cash: Decimal | None = None
    due: Mapping[str, Sequence[int]] = field(default_factory=dict)
    note_lines: Sequence[NoteLine] = ()


@dataclass(frozen=True)
class BrokersSide:
    """What the broker answered; None: it did not.

    `holdings` are all shares that are owned, by our symbols (`venue_figures.shares_owned`), `cash` ₹.
    """

    orders: Sequence[Order] | None = None
    trades: Sequence[Trade] | None = None
    holdings: Mapping[str, int] | None = None
    cash: Decimal | None = None


@dataclass(frozen=True)
class Difference:
    """A difference: its class, what differs, and both sides with amounts as text."""

    kind: DifferenceKind
    subject: str
    ours: Mapping[str, Any]
    theirs: Mapping[str, Any]
    action: str

    @property
    def place(self) -> tuple[str, str]:
        """By which it is open once an account."""
        return self.kind.value, self.subject


def differences(ours: OurSide, theirs: BrokersSide) -> list[Difference]:
    """All differences, each of one class; a subject has no more than one."""
    rows = [
        *_of_orders(ours, theirs),
        *_of_fills(ours, theirs),
        *_of_holdings(ours, theirs),
        *_of_cash(ours, theirs),
        *_of_charges(ours),
    ]
    return list({row.place: row for row in rows}.values())


def order_of_row(row: Order, orders: Iterable[OurOrder], day: date) -> OurOrder | None:
    """The order that a row of the broker's book of a day is of: by our tag, else by the broker's number."""
    candidates = list(orders)
    tagged = (order for order in candidates if row.tag and order.tag == row.tag)
    return next(tagged, None) or _by_number(row.order_id, candidates, {day, day_of_row(row, day)})


def day_of_row(row: Order, day: date) -> date:
    """The day of an order of the broker's book: before a session it may still be the book of the last one."""
    return row.placed_at.astimezone(IST).date() if row.placed_at else day


def order_of_trade(trade: Trade, ours: OurSide) -> OurOrder | None:
    """The order that a trade is of by the broker's number alone, which an order has once its answer is known."""
    return _by_number(trade.order_id, ours.orders, {ours.day, fill_id_of(trade, ours.day).day})


def fill_id_of(trade: Trade, day: date) -> FillId:
    """What a trade of the broker's list of a day is known by here."""
    return FillId(trade.exchange, trade.traded_at.astimezone(IST).date() if trade.traded_at else day, trade.trade_id)


def fill_subject(fill_id: FillId) -> str:
    return f"{fill_id.exchange}:{fill_id.day:%Y-%m-%d}:{fill_id.trade_id}"


def _by_number(number: str, orders: Iterable[OurOrder], days: Collection[date]) -> OurOrder | None:
    """Of orders that share the broker's number, that of one of the days, else one that is still open."""
    same = [order for order in orders if order.broker_order_id == number]
    of_days = (order for order in same if order.session in days)
    return next(of_days, None) or next((order for order in same if order.status in WORKING), None)


def _difference(
    kind: DifferenceKind, subject: str, ours: Mapping[str, Any], theirs: Mapping[str, Any], action: str = ""
) -> Difference:
    return Difference(kind, subject, ours, theirs, action or ACTIONS[kind])


# --- orders -----------------------------------------------------------------------------------------------------------


def _of_orders(ours: OurSide, theirs: BrokersSide) -> Iterator[Difference]:
    if theirs.orders is None:
        return
    there = set()
    numbers = {row.order_id for row in theirs.orders}
    for row in theirs.orders:
        order = order_of_row(row, ours.orders, ours.day)
        if order is not None:
            there.add(order.key)
        own = {} if order is None else _own(order)
        if order is None or order.is_external:
            action = "" if row.quantity > 0 else NO_QUANTITY
            yield _difference(DifferenceKind.FOREIGN_ORDER, f"broker's order {row.order_id}", own, _row(row), action)
        elif order.broker_order_id in numbers - {row.order_id}:
            yield _difference(DifferenceKind.FOREIGN_ORDER, f"broker's order {row.order_id}", own, _row(row), SAME_TAG)
        if order is not None and _is_behind(order, row):
            yield _difference(DifferenceKind.STATE_BEHIND, order_subject(order), own, _row(row))
    for order in ours.orders:
        if order.key not in there and _should_be_there(order, ours.day):
            yield _difference(DifferenceKind.ORDER_MISSING_THERE, order_subject(order), _own(order), {})


def order_subject(order: OurOrder) -> str:
    return f"order {order.key}"


def _should_be_there(order: OurOrder, day: date) -> bool:
    """Whether the broker's book of the day should have an order: it took it in, today, or it is still open here."""
    return bool(order.broker_order_id) and (order.session == day or order.status in WORKING)


def _is_behind(order: OurOrder, row: Order) -> bool:
    """Whether the book knows more of an order than this system; a book that lags behind our fills knows less."""
    expected = _EXPECTED.get(row.status)
    if expected is None:
        return False
    has_more = row.filled_quantity > order.filled_quantity
    return has_more or (order.status is not State.FILLED and order.status not in expected)


def _own(order: OurOrder) -> dict[str, Any]:
    return {
        "symbol": order.symbol,
        "state": order.status.value,
        "quantity": order.quantity,
        "filled_quantity": order.filled_quantity,
    }


def _row(row: Order) -> dict[str, Any]:
    return {
        "symbol": row.symbol,
        "side": row.side.value,
        "state": row.status.value,
        "quantity": row.quantity,
        "filled_quantity": row.filled_quantity,
    }


# --- fills ------------------------------------------------------------------------------------------------------------


def _of_fills(ours: OurSide, theirs: BrokersSide) -> Iterator[Difference]:
    if theirs.trades is None:
        return
    rows = {row.order_id: order_of_row(row, ours.orders, ours.day) for row in theirs.orders or ()}
    here = {fill.fill_id: fill for fill in ours.fills}
    there = {fill_id_of(trade, ours.day): trade for trade in theirs.trades}
    for fill_id, trade in there.items():
        order = rows.get(trade.order_id) or order_of_trade(trade, ours)
        yield from _of_trade(fill_id, trade, here.get(fill_id), order, trade.order_id in rows)
    for fill_id, fill in here.items():
        if fill_id.day == ours.day and fill_id not in there:
            yield _difference(DifferenceKind.FILL_UNKNOWN_THERE, fill_subject(fill_id), _own_fill(fill), {})


def _of_trade(
    fill_id: FillId, trade: Trade, fill: OurFill | None, order: OurOrder | None, has_row: bool
) -> Iterator[Difference]:
    subject, theirs = fill_subject(fill_id), _trade(trade)
    own = _own_fill(fill) if fill else {}
    if fill is not None and (fill.quantity, fill.price) != (trade.quantity, trade.price):
        yield _difference(DifferenceKind.FILL_UNKNOWN_THERE, subject, own, theirs)
    elif order is None or order.is_external:
        waits = fill is None and order is None and not has_row
        yield _difference(DifferenceKind.FOREIGN_FILL, subject, own, theirs, WAITS_FOR_ORDER if waits else "")
    elif fill is None:
        yield _difference(DifferenceKind.FILL_MISSING_HERE, subject, own, theirs)


def _own_fill(fill: OurFill) -> dict[str, Any]:
    return {"symbol": fill.symbol, "order": fill.order, "quantity": fill.quantity, "price": f"{fill.price:f}"}


def _trade(trade: Trade) -> dict[str, Any]:
    return {
        "symbol": trade.symbol,
        "order": trade.order_id,
        "quantity": trade.quantity,
        "price": f"{trade.price:f}",
    }


# --- shares and money -------------------------------------------------------------------------------------------------


def _of_holdings(ours: OurSide, theirs: BrokersSide) -> Iterator[Difference]:
    if ours.holdings is None or theirs.holdings is None:
        return
    for symbol in sorted({*ours.holdings, *theirs.holdings}):
        mine, there = ours.holdings.get(symbol, 0), theirs.holdings.get(symbol, 0)
        if mine != there:
            due = _sums(ours.due.get(symbol, ()))
            is_due = there - mine in due or mine - there in due  # either side may book it first
            kind = DifferenceKind.EVENT_DUE if is_due else DifferenceKind.QUANTITY_DIFFERS
            yield _difference(kind, symbol, {"symbol": symbol, "quantity": mine}, {"symbol": symbol, "quantity": there})


def _sums(changes: Sequence[int]) -> set[int]:
    """What one or several of the events come to."""
    sums = {0}
    for change in changes:
        sums |= {each + change for each in sums}
    return sums - {0}


def _of_cash(ours: OurSide, theirs: BrokersSide) -> Iterator[Difference]:
    if ours.cash is not None and theirs.cash is not None and abs(ours.cash - theirs.cash) > CASH_TOLERANCE:
        yield _difference(
            DifferenceKind.CASH_DIFFERS, CASH, {"amount": f"{ours.cash:f}"}, {"amount": f"{theirs.cash:f}"}
        )


def _of_charges(ours: OurSide) -> Iterator[Difference]:
    for line in ours.note_lines:
        if abs(line.ours - line.stated) > CHARGES_TOLERANCE:
            yield _difference(
                DifferenceKind.CHARGES_DIFFER,
                f"note {line.number}: {line.name}",
                {"amount": f"{line.ours:f}"},
                {"amount": f"{line.stated:f}"},
            )
