"""Orders by hand, of pages and API: judged by the checks before anything is written, and made once for each key."""

from datetime import datetime
from typing import Any, Final

from django.db import transaction

from brokers.charges import Side
from brokers.protocol import IST, OrderType
from portfolio.live.permissions import why_not_live
from portfolio.models import Order, TradingAccount, User
from portfolio.orders import desk, gathered
from portfolio.orders.book import Wish, lock_account
from portfolio.orders.evidence import Draft
from portfolio.orders.risk import refusals

BY_HAND: Final = "by_hand"
"""Begins the purpose of an order by hand."""


def purpose_of(key: str) -> str:
    """The purpose of an order by hand, by the one-time key of its form."""
    return f"{BY_HAND} {key}"


def place_by_hand(account: TradingAccount, given: dict[str, Any], person: User, at: datetime) -> tuple[Order, bool]:
    """Place what a valid `OrderForm` says for the session of a moment; return the order, and whether it is new.

    The key that was used before returns its order, whatever else is said now.

    Raises
    ------
    desk.NotAsked
        Where live trading by hand is off, or, as `NotPlaced`, with every sentence of the checks; nothing is written
        then, and the key is free still.
    """
    with transaction.atomic():
        account = lock_account(account.pk)
        first = Order.objects.filter(account=account, intent__purpose=purpose_of(given["key"])).first()
        if first is not None:
            return first, False
        if account.is_live and (why := why_not_live(account, None, at)):
            raise desk.NotAsked(f"Nothing was placed: {why}, on the account’s page Live.")
        draft = draft_of(account, given, at)
        evidence = gathered.evidence_for(account, draft, at)
        if refused := refusals(draft, evidence):
            raise desk.NotPlaced(refused)
        wish = Wish(draft, purpose_of(given["key"]), wished_by=person, series=evidence.share.series or "EQ")
        return desk.place(account, wish, at, evidence), True


def draft_of(account: TradingAccount, given: dict[str, Any], at: datetime) -> Draft:
    """The draft of an order for delivery, on the day of a moment."""
    return Draft(
        account=str(account.pk),
        session=at.astimezone(IST).date(),
        symbol=given["symbol"],
        side=Side(given["side"]),
        quantity=given["quantity"],
        order_type=OrderType(given["order_type"]),
        price=given["price"],
        trigger_price=given["trigger_price"],
        market_protection=given["market_protection"],
    )
