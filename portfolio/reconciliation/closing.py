"""Closing by an operator: a difference with its correction, an alarm with its reason."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db import transaction

from brokers.protocol import IST
from portfolio.accounts.entries import EntryError, correct
from portfolio.models import Difference, OrderAlarm, TradingAccount, User
from portfolio.orders.book import lock_account
from portfolio.reconciliation.comparison import BLOCKING, DifferenceKind
from portfolio.reconciliation.difference_rows import AGREES

MOST_OF_REASON: Final = 300
_CHANGES: Final = "change_difference"


class NotClosed(Exception):
    """Nothing was closed; the sentence says why and what to do."""


@dataclass(frozen=True)
class Correction:
    """What is entered into the ledger: shares and ₹ that come; negative: that go. `price` in ₹ per share, of shares."""

    symbol: str = ""
    quantity: int = 0
    amount: Decimal = Decimal(0)
    price: Decimal | None = None


def close_difference(
    difference: Difference, by: User, reason: str, at: datetime, correction: Correction | None = None
) -> Difference:
    """Close an open difference, and enter its correction into the account's ledger.

    What blocks is closed with a correction only, unless both sides agree again by themselves.

    Raises
    ------
    NotClosed
        Without a reason or the correction it needs, by another person than the account's owner, a second
        time, or with a correction that the ledger cannot take. Nothing has changed then.
    """
    words = _reason(reason)
    with transaction.atomic():
        account = lock_account(difference.account_id)
        row = Difference.objects.get(pk=difference.pk)
        _check_person(account, by)
        if row.closed_at is not None:
            raise NotClosed(f"It was closed at {_time(row.closed_at)} by {row.closed_by}; there is nothing to close.")
        needs = DifferenceKind(row.kind) in BLOCKING and row.action != AGREES
        if needs and correction is None:
            raise NotClosed(
                "It is closed with a correction only: enter the shares or rupees that set the ledger right."
            )
        if correction is not None:
            _enter(account, row, words, at, correction)
        row.closed_at, row.closed_by, row.reason = at, by.get_username(), words
        row.save()
    return row


def close_alarm(alarm: OrderAlarm, by: User, reason: str, at: datetime) -> OrderAlarm:
    """Close an alarm of an order with a reason; the contradiction stays in the order's events.

    Raises
    ------
    NotClosed
        Without a reason, by another person than the account's owner, or a second time.
    """
    words = _reason(reason)
    with transaction.atomic():
        account = lock_account(alarm.order.account_id)
        row = OrderAlarm.objects.select_related("order").get(pk=alarm.pk)
        _check_person(account, by)
        if row.closed_at is not None:
            raise NotClosed(f"It was closed at {_time(row.closed_at)} by {row.closed_by}; there is nothing to close.")
        row.closed_at, row.closed_by, row.reason = at, by.get_username(), words
        row.save()
    return row


def _reason(reason: str) -> str:
    words = reason.replace("\0", "").strip()
    if not words:
        raise NotClosed("It is closed with a reason, which is kept: say what was looked at.")
    if len(words) > MOST_OF_REASON:
        raise NotClosed(f"The reason has {len(words)} characters; {MOST_OF_REASON} are kept: shorten it.")
    return words


def _check_person(account: TradingAccount, by: User) -> None:
    if account.owner_id != by.pk:
        raise NotClosed("The account is another person's; its owner closes it.")


def _enter(account: TradingAccount, row: Difference, words: str, at: datetime, correction: Correction) -> None:
    try:
        correct(
            account,
            at.astimezone(IST).date(),
            f"difference:{row.pk}",
            words,
            symbol=correction.symbol,
            quantity=correction.quantity,
            amount=correction.amount,
            price=correction.price,
        )
    except EntryError as error:
        raise NotClosed(str(error)) from error


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(IST):%d %b %H:%M}"
