"""The order book: the one writer of wishes, orders, events and fills.

Whatever happens to an order is recorded here as an event, under a lock of the account; its row, its fills and its
alarms are computed again from all its events, whichever came first, in the same transaction.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.db import transaction

from brokers.protocol import Order as BookRow
from brokers.protocol import order_tag
from portfolio.accounts.locking import lock_account as lock_account  # others lock with the book, too
from portfolio.accounts.postings import post_fills
from portfolio.models import Order, OrderAlarm, OrderEvent, OrderIntent, Strategy, Trade, TradingAccount, User
from portfolio.orders.events import Event, FillId, Kind
from portfolio.orders.evidence import Draft
from portfolio.orders.projection import Alarm, Projection, counted, projection
from portfolio.orders.replay import counted_elsewhere
from portfolio.orders.stored_events import event_of_row, row_of
from portfolio.sending.points import reach


@dataclass(frozen=True)
class Wish:
    """What is wished: a draft, for which purpose, by whom, from which pick."""

    draft: Draft
    purpose: str
    strategy: Strategy | None = None
    wished_by: User | None = None
    series: str = "EQ"
    pick: dict[str, Any] | None = None


def order_for(account: TradingAccount, wish: Wish, at: datetime) -> tuple[Order, bool]:
    """Return the order of a wish, and whether it is new: the same wish twice has one order.

    The wish is what account, strategy, session, share, side and purpose say; of two with other quantities the first
    holds.
    """
    draft = wish.draft
    with transaction.atomic():
        lock_account(account.pk)
        intent, is_new = OrderIntent.objects.get_or_create(
            account=account,
            strategy=wish.strategy,
            session=draft.session,
            symbol=draft.symbol,
            side=draft.side.value,
            purpose=wish.purpose,
            defaults={"wished_by": wish.wished_by},
        )
        if not is_new:
            return intent.order, False
        key = uuid4()
        order = Order.objects.create(
            account=account,
            intent=intent,
            user=wish.wished_by or account.owner,
            strategy=wish.strategy,
            idempotency_key=key,
            tag=order_tag(key),
            broker=account.broker,
            session=draft.session,
            symbol=draft.symbol,
            series=wish.series,
            side=draft.side.value,
            quantity=draft.quantity,
            order_type=draft.order_type.value,
            product=draft.product.value,
            price=draft.price,
            trigger_price=draft.trigger_price,
            market_protection=draft.market_protection,
            pick=wish.pick,
        )
        create = Event(
            Kind.CREATE, "create", str(order.pk), at, tag=order.tag or "", side=draft.side, quantity=draft.quantity
        )
        recorded = record(order, [create])
        reach("before_intent")
        transaction.on_commit(lambda: reach("after_intent"))
    return recorded, True


def external_order(account: TradingAccount, row: BookRow, session: date, at: datetime) -> tuple[Order, bool]:
    """Return the order that somebody placed at the broker itself, and whether it is new here.

    It has no wish and no tag of ours. It is counted and shown; nothing here is ever asked of it.

    Parameters
    ----------
    row : of the broker's book, with a quantity above 0
    session : of whose book it is: a broker's numbers may come again on another day
    """
    with transaction.atomic():
        lock_account(account.pk)
        number = row.order_id
        known = Order.objects.filter(account=account, intent=None, session=session, broker_order_id=number).first()
        if known is not None:
            return known, False
        order = Order.objects.create(
            account=account,
            user=account.owner,
            broker=account.broker,
            session=session,
            symbol=row.symbol,
            side=row.side.value,
            quantity=row.quantity,
            order_type=row.order_type.value if row.order_type else "",
            product=row.product[:10],
            price=row.price,
        )
        key = str(order.pk)
        create = Event(Kind.CREATE, "create", key, at, side=row.side, quantity=row.quantity)
        # It was sent, though not from here: its fills are no contradiction.
        send = Event(Kind.SEND, "send", key, at)
        answer = Event(Kind.ANSWER, f"answer:{number}", key, at, broker_order_id=number)
        return record(order, [create, send, answer]), True


def record(order: Order, events: Sequence[Event], raw: Any = None) -> Order:
    """Add events to an order and return it as they leave it; what is known already adds nothing.

    Parameters
    ----------
    events : of this order; nothing is refused as a fact
    raw : what the broker answered, without secrets; kept with each of the events
    """
    with transaction.atomic():
        account = lock_account(order.account_id)
        OrderEvent.objects.bulk_create([row_of(event, order.pk, raw) for event in events], ignore_conflicts=True)
        reach("before_state")
        touched = _projected(account, order.pk)
        return touched[order.pk]


def events_of_order(order: Order) -> list[Event]:
    """Return all events of an order, as they were stored."""
    return [event_of_row(row, order.account_id) for row in order.events.all()]


def _projected(account: TradingAccount, order: int) -> dict[int, Order]:
    """Project an order again, and those of the account that claim the same fills."""
    histories = _histories(account, order)
    elsewhere = counted_elsewhere({str(each): events for each, events in histories.items()})
    rows = Order.objects.in_bulk(histories)
    fills: dict[FillId, tuple[Order, Event]] = {}
    for each, events in histories.items():
        others: Collection[FillId] = elsewhere.get(str(each), ())
        _save(rows[each], projection(events, others), events)
        fills |= {event.fill_id: (rows[each], event) for event in counted(events, others) if event.kind is Kind.FILL}
    _save_fills(account, list(histories), fills)
    return rows


def _histories(account: TradingAccount, order: int) -> dict[int, list[Event]]:
    mine = [event_of_row(row, account.pk) for row in OrderEvent.objects.filter(order=order)]
    trade_ids = {event.trade_id for event in mine if event.kind is Kind.FILL}
    histories = {order: mine}
    if trade_ids:
        claims = OrderEvent.objects.filter(
            order__account=account, kind=Kind.FILL.value, content__trade_id__in=trade_ids
        ).exclude(order=order)
        rivals = set(claims.values_list("order", flat=True))
        for row in OrderEvent.objects.filter(order__in=rivals):
            histories.setdefault(row.order_id, []).append(event_of_row(row, account.pk))
    return histories


def _save(order: Order, result: Projection, events: Iterable[Event]) -> None:
    """Write an order's row as its events say."""
    history = counted(events)
    order.status = result.state.value
    order.pending = result.pending.value if result.pending else ""
    order.filled_quantity, order.average_price = result.filled_quantity, result.average_price
    order.alarms = [alarm.value for alarm in result.alarms]
    order.quantity = result.quantity or order.quantity
    for event in history:
        if event.kind is Kind.MODIFIED:
            order.price = event.price
        elif event.kind is Kind.ANSWER:
            order.broker_order_id = event.broker_order_id
        elif event.kind in (Kind.REJECT, Kind.ABANDON):
            order.reason = event.reason
    order.save()
    if result.contradictions:
        _ring(order, result.contradictions, max((event.at for event in history), default=order.created_at))


def _ring(order: Order, contradictions: Mapping[Alarm, str], since: datetime) -> None:
    """Open an alarm for each contradiction, once; one that was closed rings again when other facts make it."""
    rows = list(OrderAlarm.objects.filter(order=order))
    still_open = {row.alarm: row for row in rows if row.closed_at is None}
    closed = {(row.alarm, row.facts) for row in rows if row.closed_at is not None}
    for alarm, facts in contradictions.items():
        if (row := still_open.get(alarm.value)) is not None:
            row.facts = facts
            row.save(update_fields=["facts"])
        elif (alarm.value, facts) not in closed:
            OrderAlarm.objects.create(order=order, alarm=alarm.value, facts=facts, since=since)


def _save_fills(account: TradingAccount, orders: list[int], fills: dict[FillId, tuple[Order, Event]]) -> None:
    """Write the fills that count, and post them to the ledger."""
    rows = [
        Trade(
            order=order,
            account=account,
            broker=order.broker,
            exchange=fill_id.exchange,
            date=fill_id.day,
            broker_trade_id=fill_id.trade_id,
            quantity=event.quantity,
            price=event.price or Decimal(0),
            traded_at=event.moment,
        )
        for fill_id, (order, event) in fills.items()
    ]
    stored = Trade.objects.filter(order__in=orders).select_related("order")
    withdrawn = [trade for trade in stored if _fill_id(trade) not in fills]
    Trade.objects.filter(pk__in=[trade.pk for trade in withdrawn]).delete()
    Trade.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["account", "exchange", "date", "broker_trade_id"],
        update_fields=["order", "quantity", "price", "traded_at"],
    )
    post_fills(account, rows, withdrawn)


def _fill_id(trade: Trade) -> FillId:
    return FillId(trade.exchange, trade.date, trade.broker_trade_id)
