"""What the trading API answers: amounts in ₹ as texts, quantities as whole numbers, times with their offset."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from portfolio.api.choices import PENDING, STATES
from portfolio.models import Difference, LedgerEntry, Order, OrderAlarm, Plan, Trade, TradingAccount
from portfolio.pages.trading.order_page import order_context
from portfolio.pages.trading.portfolio_page import HeldLine
from portfolio.reconciliation.comparison import BLOCKING


def amount(value: Decimal | None) -> str | None:
    """An amount as a text: exact, with paise at least, never in powers of ten."""
    if value is None:
        return None
    whole, _, part = f"{value:f}".partition(".")
    return f"{whole}.{part.rstrip('0').ljust(2, '0')}"


def moment(value: datetime | None) -> str | None:
    return None if value is None else timezone.localtime(value).isoformat()


class Account(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=TradingAccount.AccountKind.choices, help_text="live: with real money")
    broker = serializers.CharField()
    charges_of = serializers.CharField(help_text="Whose charges are expected of its orders.")
    is_active = serializers.BooleanField()


class Lot(serializers.Serializer[Any]):
    bought_on = serializers.DateField()
    quantity = serializers.IntegerField()
    cost = serializers.CharField(help_text="₹, with the charges that count for the tax")


class Held(serializers.Serializer[Any]):
    symbol = serializers.CharField()
    quantity = serializers.IntegerField(help_text="All shares, also those that arrive and bonus that is due.")
    arriving = serializers.IntegerField()
    bonus_due = serializers.IntegerField()
    sellable = serializers.IntegerField()
    average_price = serializers.CharField(allow_null=True, help_text="₹ per share, without charges")
    close = serializers.CharField(allow_null=True, help_text="₹ per share")
    close_of = serializers.DateField(allow_null=True)
    value = serializers.CharField(allow_null=True, help_text="₹; null: it never closed")
    gain = serializers.CharField(allow_null=True, help_text="₹, without charges")
    lots = Lot(many=True)


class Portfolio(Account):
    day = serializers.DateField(help_text="After whose entries.")
    value = serializers.CharField(help_text="₹")
    in_shares = serializers.CharField(help_text="₹")
    cash = serializers.CharField(help_text="₹")
    cash_usable = serializers.CharField(help_text="₹")
    cash_not_usable = serializers.CharField(help_text="₹, from sales that are not settled")
    unpriced = serializers.ListField(child=serializers.CharField(), help_text="Held, without a close, counted as none.")
    profit_after_charges = serializers.CharField(allow_null=True, help_text="₹; null: not known")
    realised = serializers.CharField(allow_null=True, help_text="₹")
    charges = serializers.CharField(help_text="₹, all so far")
    dividends = serializers.CharField(help_text="₹")
    blocked_by = serializers.ListField(child=serializers.CharField(), help_text="What keeps it from new orders.")
    holdings = Held(many=True)


class OrderListed(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    account = serializers.IntegerField()
    account_kind = serializers.ChoiceField(choices=TradingAccount.AccountKind.choices)
    session = serializers.DateField()
    symbol = serializers.CharField()
    side = serializers.CharField()
    quantity = serializers.IntegerField()
    order_type = serializers.CharField()
    product = serializers.CharField()
    price = serializers.CharField(allow_null=True, help_text="₹ per share")
    trigger_price = serializers.CharField(allow_null=True, help_text="₹ per share")
    market_protection = serializers.CharField(allow_null=True, help_text="percent; -1: the broker's own")
    status = serializers.ChoiceField(choices=STATES)
    pending = serializers.ChoiceField(choices=PENDING)
    alarms = serializers.ListField(child=serializers.CharField())
    filled_quantity = serializers.IntegerField()
    average_price = serializers.CharField(allow_null=True, help_text="₹ per share, four decimals")
    reason = serializers.CharField()
    strategy = serializers.CharField(allow_null=True)
    is_external = serializers.BooleanField(help_text="Placed at the broker by hand: never touched here.")
    tag = serializers.CharField(allow_null=True)
    broker_order_id = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()


class OrderMoment(serializers.Serializer[Any]):
    kind = serializers.CharField()
    at = serializers.DateTimeField()
    broker_at = serializers.DateTimeField(allow_null=True, help_text="By the broker's clock.")
    sentence = serializers.CharField()


class TradeListed(serializers.Serializer[Any]):
    order = serializers.IntegerField()
    symbol = serializers.CharField()
    side = serializers.CharField()
    quantity = serializers.IntegerField()
    price = serializers.CharField(help_text="₹ per share")
    exchange = serializers.CharField()
    trade_id = serializers.CharField()
    traded_at = serializers.DateTimeField()


class Entry(serializers.Serializer[Any]):
    day = serializers.DateField()
    kind = serializers.ChoiceField(choices=LedgerEntry.EntryKind.choices)
    symbol = serializers.CharField()
    isin = serializers.CharField()
    quantity = serializers.IntegerField(help_text="Shares that came; negative: that went.")
    amount = serializers.CharField(help_text="₹ that came; negative: that went")
    price = serializers.CharField(allow_null=True, help_text="₹ per share")
    credited_on = serializers.DateField(allow_null=True)
    reference = serializers.CharField()
    reason = serializers.CharField()


class OrderDetail(OrderListed):
    pick = serializers.JSONField(allow_null=True, help_text="The pick it came from.")
    plan = serializers.IntegerField(allow_null=True)
    checks = serializers.ListField(child=serializers.CharField(), help_text="Why our checks refused it.")
    events = OrderMoment(many=True)
    trades = TradeListed(many=True)
    ledger = Entry(many=True)


class PlanListed(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    account = serializers.IntegerField()
    strategy = serializers.CharField()
    session = serializers.DateField(help_text="Whose list it carries out.")
    trades_on = serializers.DateField()
    status = serializers.ChoiceField(choices=Plan.PlanStatus.choices)
    digest = serializers.CharField(help_text="An approval is of exactly this.")
    content = serializers.JSONField(help_text="Tickets, charges and impact, what is left out and why.")
    approved_by = serializers.CharField(allow_null=True)
    approved_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField()


class DifferenceListed(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=Difference.DifferenceKind.choices)
    subject = serializers.CharField()
    ours = serializers.JSONField()
    theirs = serializers.JSONField()
    since = serializers.DateTimeField()
    checked_at = serializers.DateTimeField()
    action = serializers.CharField()
    blocks = serializers.BooleanField(help_text="Whether it keeps the account from new orders until it is closed.")
    closed_at = serializers.DateTimeField(allow_null=True)
    closed_by = serializers.CharField()
    reason = serializers.CharField()


class AlarmListed(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    order = serializers.IntegerField()
    alarm = serializers.CharField()
    facts = serializers.CharField(help_text="What contradicts.")
    since = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True, help_text="null: it keeps the account from new orders")
    closed_by = serializers.CharField()
    reason = serializers.CharField()


# --- rows as answers --------------------------------------------------------------------------------------------------
def account_body(account: TradingAccount) -> dict[str, Any]:
    plain = ("id", "name", "kind", "broker", "charges_of", "is_active")
    return {name: getattr(account, name) for name in plain}


def portfolio_body(account: TradingAccount, known: dict[str, Any], blocked_by: list[str]) -> dict[str, Any]:
    """The figures of `portfolio_context` as an answer."""
    value, profit, cash = known["value"], known["profit"], known["cash"]
    return account_body(account) | {
        "day": known["day"],
        "value": amount(value.total),
        "in_shares": amount(value.shares),
        "cash": amount(cash.total),
        "cash_usable": amount(cash.usable),
        "cash_not_usable": amount(known["waiting"]),
        "unpriced": list(value.unpriced),
        "profit_after_charges": amount(profit.after_charges),
        "realised": amount(profit.realised),
        "charges": amount(profit.charges),
        "dividends": amount(profit.dividends),
        "blocked_by": blocked_by,
        "holdings": [held_body(line) for line in known["lines"]],
    }


def held_body(line: HeldLine) -> dict[str, Any]:
    held = line.held
    return {
        "symbol": line.symbol,
        "quantity": held.quantity,
        "arriving": held.arriving,
        "bonus_due": held.bonus_due,
        "sellable": held.sellable,
        "average_price": amount(held.average_price),
        "close": amount(line.close),
        "close_of": line.close_of,
        "value": amount(line.value),
        "gain": amount(line.gain),
        "lots": [
            {"bought_on": lot.bought_on, "quantity": lot.quantity, "cost": f"{lot.cost:.2f}"} for lot in line.lots
        ],
    }


_PLAIN_OF_ORDER = (
    *("id", "session", "symbol", "side", "quantity", "order_type", "product", "status", "pending", "alarms"),
    *("filled_quantity", "reason", "is_external", "tag", "broker_order_id"),
)


def order_body(order: Order) -> dict[str, Any]:
    amounts = ("price", "trigger_price", "market_protection")
    return (
        {name: getattr(order, name) for name in _PLAIN_OF_ORDER}
        | {name: amount(getattr(order, name)) for name in amounts}
        | {
            "average_price": None if order.average_price is None else f"{order.average_price:.4f}",
            "account": order.account_id,
            "account_kind": order.account.kind,
            "strategy": order.strategy.name if order.strategy else None,
            "created_at": moment(order.created_at),
        }
    )


def order_detail_body(order: Order) -> dict[str, Any]:
    known = order_context(order)
    return order_body(order) | {
        "pick": order.pick,
        "plan": known["plan"].pk if known["plan"] else None,
        "checks": known["checks"],
        "events": [
            {"kind": each.kind, "at": moment(each.at), "broker_at": moment(each.broker_at), "sentence": each.sentence}
            for each in known["moments"]
        ],
        "trades": [trade_body(trade) for trade in known["trades"]],
        "ledger": [entry_body(entry) for entry in known["entries"]],
    }


def trade_body(trade: Trade) -> dict[str, Any]:
    return {
        "order": trade.order_id,
        "symbol": trade.order.symbol,
        "side": trade.order.side,
        "quantity": trade.quantity,
        "price": amount(trade.price),
        "exchange": trade.exchange,
        "trade_id": trade.broker_trade_id,
        "traded_at": moment(trade.traded_at),
    }


def entry_body(entry: LedgerEntry) -> dict[str, Any]:
    plain = ("day", "kind", "symbol", "isin", "quantity", "credited_on", "reference", "reason")
    exact = {"amount": amount(entry.amount), "price": amount(entry.price)}
    return {name: getattr(entry, name) for name in plain} | exact


def plan_body(plan: Plan) -> dict[str, Any]:
    plain = ("id", "session", "trades_on", "status", "digest", "content", "reason")
    return {name: getattr(plan, name) for name in plain} | {
        "account": plan.account_id,
        "strategy": plan.strategy.name,
        "approved_by": plan.approved_by.get_username() if plan.approved_by else None,
        "approved_at": moment(plan.approved_at),
    }


def difference_body(row: Difference) -> dict[str, Any]:
    plain = ("id", "kind", "subject", "ours", "theirs", "action", "closed_by", "reason")
    times = {name: moment(getattr(row, name)) for name in ("since", "checked_at", "closed_at")}
    blocks = row.kind in BLOCKING and row.closed_at is None
    return {name: getattr(row, name) for name in plain} | times | {"blocks": blocks}


def alarm_body(row: OrderAlarm) -> dict[str, Any]:
    plain = ("id", "alarm", "facts", "closed_by", "reason")
    times = {name: moment(getattr(row, name)) for name in ("since", "closed_at")}
    return {name: getattr(row, name) for name in plain} | times | {"order": row.order_id}
