"""The desk: where pages, API, plans and commands place orders and ask for changes; it talks to no broker.

What is asked is judged under a lock of the account and recorded as an event; the account's sender carries it out.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db import transaction

from brokers.charges import Product, Side
from brokers.protocol import OrderType
from portfolio.models import Order, TradingAccount
from portfolio.orders import book, gathered
from portfolio.orders.asking import Question, refusal
from portfolio.orders.events import Event, Kind
from portfolio.orders.evidence import Draft, Evidence, is_price
from portfolio.orders.projection import Pending, State
from portfolio.orders.risk import Refusal, refusals

MOST_SHARES: Final = 999_999_999
"""As in events: a larger quantity is none."""

MOST_OF_REASON: Final = 300
_DECIMALS: Final = 4
_OF_THE_WHOLE: Final = frozenset(("lot", "order_value"))
"""Checks of a changed order that look at all of it; the others at what is not filled yet."""


class NotAsked(Exception):
    """Nothing was recorded; the sentence says why and what to do."""


class NotPlaced(NotAsked):
    """No order can be made of it, or none may be changed into it: `refusals` has each reason with its code."""

    def __init__(self, reasons: Sequence[Refusal]) -> None:
        super().__init__(" ".join(reason.sentence for reason in reasons))
        self.refusals = tuple(reasons)


def place(account: TradingAccount, wish: book.Wish, at: datetime, evidence: Evidence | None = None) -> Order:
    """Record a wish and its order, queued for the sender or refused by the checks; the same wish again changes nothing.

    Parameters
    ----------
    at : when it is asked; the sender judges again when it sends
    evidence : where the caller gathered it; else it is gathered from the tables

    Raises
    ------
    NotPlaced
        When it is no order at all: no shares, too many, or a price that cannot be written down.
    """
    if unfit := _unfit(wish.draft):
        raise NotPlaced(unfit)
    with transaction.atomic():
        account = book.lock_account(account.pk)
        order, is_new = book.order_for(account, wish, at)
        if not is_new:
            return order
        known = evidence or gathered.evidence_for(account, wish.draft, at, own=order, strategy=wish.strategy)
        if refused := refusals(wish.draft, known):
            return refuse(order, refused, at)
        return book.record(order, [Event(Kind.QUEUE, "queue", str(order.pk), at)])


def refuse(order: Order, refused: Sequence[Refusal], at: datetime) -> Order:
    """Record that the checks refuse an order that was not sent yet; their sentences are kept with the event."""
    codes = tuple(each.code for each in refused)
    event = Event(Kind.REFUSE, "refuse", str(order.pk), at, checks=codes)
    return book.record(order, [event], raw={"refusals": [list(each) for each in refused]})


def refusals_of(order: Order) -> list[Refusal]:
    """Why the checks refused an order: each code with the sentence of that moment; empty where they did not."""
    row = order.events.filter(kind=Kind.REFUSE.value).first()
    return [] if row is None else [Refusal(code, sentence) for code, sentence in (row.raw or {}).get("refusals", [])]


def draft_of(order: Order, quantity: int | None = None, price: Decimal | None = None) -> Draft:
    """The draft that an order was made of, or is to become with another quantity and price."""
    return Draft(
        account=str(order.account_id),
        session=order.session,
        symbol=order.symbol,
        side=Side(order.side),
        quantity=order.quantity if quantity is None else quantity,
        order_type=OrderType(order.order_type),
        price=order.price if quantity is None else price,
        trigger_price=order.trigger_price,
        market_protection=order.market_protection,
        product=Product(order.product),
    )


def ask_cancel(order: Order, by: str, at: datetime) -> Order:
    """Ask for an order to be cancelled; `by` is who asks.

    Raises
    ------
    NotAsked
        When its state allows no cancel.
    """
    return _ask(order, Question.CANCEL, at, by, lambda current: Event(*_request(Kind.CANCEL_ASKED, current, at)))


def ask_modify(
    order: Order, quantity: int, price: Decimal | None, by: str, at: datetime, evidence: Evidence | None = None
) -> Order:
    """Ask for another quantity (in all, with what is filled) and price in ₹, judged by the checks as a new order is.

    Raises
    ------
    NotAsked
        When its state allows no change, or nothing would change.
    NotPlaced
        When the checks refuse what it would become.
    """

    def event(current: Order) -> Event:
        _judge_change(current, quantity, price, at, evidence)
        return Event(*_request(Kind.MODIFY_ASKED, current, at), quantity=quantity, price=price)

    return _ask(order, Question.MODIFY, at, by, event)


def abandon(order: Order, operator: str, reason: str, at: datetime) -> Order:
    """Give an order up, by an operator who looked at the broker; its tag is looked up no more.

    Raises
    ------
    NotAsked
        When its state does not allow it, or without operator or reason.
    """
    reason = reason.replace("\0", "").strip()
    if not reason or not operator:
        raise NotAsked("An order is abandoned by an operator and with a reason, which is kept; say why.")
    if len(reason) > MOST_OF_REASON:
        raise NotAsked(f"The reason has {len(reason)} characters; {MOST_OF_REASON} are kept: shorten it.")
    return _ask(
        order,
        Question.ABANDON,
        at,
        operator,
        lambda current: Event(*_request(Kind.ABANDON, current, at), operator=operator, reason=reason),
    )


def _ask(order: Order, question: Question, at: datetime, by: str, event: Callable[[Order], Event]) -> Order:
    """Record an event after reading the order under its account's lock; a second request adds none while one pends."""
    with transaction.atomic():
        book.lock_account(order.account_id)
        current = Order.objects.select_related("account", "strategy").get(pk=order.pk)
        pending = Pending(current.pending) if current.pending else None
        if current.is_external and question is not Question.ABANDON:
            raise NotAsked("It was placed at the broker by hand, and is left alone here; change it there.")
        if sentence := refusal(question, State(current.status), pending):
            raise NotAsked(sentence)
        return book.record(current, [event(current)], raw={"by": by})


def _request(kind: Kind, order: Order, at: datetime) -> tuple[Kind, str, str, datetime]:
    """Kind, key, order and moment of a request; of several of a kind each has a key of its own."""
    return kind, f"{kind.value}:{at.isoformat()}", str(order.pk), at


def _judge_change(order: Order, quantity: int, price: Decimal | None, at: datetime, evidence: Evidence | None) -> None:
    if (quantity, price) == (order.quantity, order.price):
        raise NotAsked(f"It has {quantity} shares at {price} already; give another quantity or price.")
    draft = draft_of(order, quantity, price)
    if unfit := _unfit(draft):
        raise NotPlaced(unfit)
    if quantity <= order.filled_quantity:
        raise NotAsked(f"{order.filled_quantity} shares are filled; ask for more than these, or cancel the rest.")
    # What is filled is in holdings and cash already.
    rest = replace(draft, quantity=quantity - order.filled_quantity)
    known = evidence or gathered.evidence_for(order.account, rest, at, own=order, strategy=order.strategy)
    refused = [each for each in refusals(draft, known) if each.code in _OF_THE_WHOLE]
    refused += [each for each in refusals(rest, known) if each.code not in _OF_THE_WHOLE]
    if refused:
        raise NotPlaced(refused)


def _unfit(draft: Draft) -> list[Refusal]:
    """What keeps a draft from being written down as an order at all, by the codes of the checks."""
    if isinstance(draft.quantity, bool) or not 1 <= draft.quantity <= MOST_SHARES:
        return [Refusal("lot", f"The quantity is {draft.quantity}; order 1 to {MOST_SHARES:,} shares.")]
    amounts: dict[str, Any] = {"price": draft.price, "trigger price": draft.trigger_price}
    for name, amount in amounts.items():
        if amount is not None and not is_price(amount):
            return [Refusal("tick", f"The {name} {amount} is none; give one above 0 and up to ₹10,000,000.")]
        if amount is not None and -amount.as_tuple().exponent > _DECIMALS:
            return [Refusal("tick", f"The {name} {amount} has more than {_DECIMALS} decimals; round it.")]
    protection = draft.market_protection
    if protection is not None and not (protection.is_finite() and -1 <= protection <= 100 and not protection * 100 % 1):
        sentence = f"The market protection {protection} is neither -1 nor above 0 and up to 100 percent; choose one."
        return [Refusal("market_protection", sentence)]
    return []
