"""Whose rows a person may see here: their own, and nobody else's; a superuser's are no more. Replays are not listed."""

from typing import TypeVar

from django.db.models import Model, QuerySet
from django.http import Http404

from portfolio.models import Difference, Order, OrderAlarm, Plan, TradingAccount, User

LARGEST_KEY = 2**63 - 1
Row = TypeVar("Row", bound=Model)


def own_accounts(person: User) -> "QuerySet[TradingAccount]":
    return TradingAccount.objects.filter(owner=person, is_replay=False).select_related("configuration")


def own_account(person: User, key: int) -> TradingAccount:
    return _own(own_accounts(person), key, "account")


def own_order(person: User, key: int) -> Order:
    rows = Order.objects.select_related("account", "intent", "strategy", "user", "account__configuration")
    return _own(rows.filter(account__in=own_accounts(person)), key, "order")


def own_plan(person: User, key: int) -> Plan:
    rows = Plan.objects.select_related("account", "strategy", "approved_by", "account__configuration")
    return _own(rows.filter(account__in=own_accounts(person)), key, "plan")


def own_difference(person: User, key: int) -> Difference:
    rows = Difference.objects.select_related("account", "account__configuration")
    return _own(rows.filter(account__in=own_accounts(person)), key, "difference")


def own_alarm(person: User, key: int) -> OrderAlarm:
    rows = OrderAlarm.objects.select_related("order", "order__account")
    return _own(rows.filter(order__account__in=own_accounts(person)), key, "alarm")


def orders_of_unknown_fate(person: User) -> "QuerySet[Order]":
    """One's own orders of which nobody knows whether the broker has them."""
    return Order.objects.filter(status="unknown", account__in=own_accounts(person)).select_related("account")


def _own(rows: "QuerySet[Row]", key: int, thing: str) -> Row:
    row = rows.filter(pk=key).first() if key <= LARGEST_KEY else None
    if row is None:
        raise Http404(f"There is no {thing} {str(key)[:20]} of yours.")
    return row
