"""Closing differences and alarms: by their owner, with a reason, once, and with the ledger's correction."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from portfolio.accounts.readings import cash_of, holdings_of
from portfolio.models import Difference, LedgerEntry, Order, OrderAlarm, TradingAccount, User
from portfolio.reconciliation.blocks import blocks_of
from portfolio.reconciliation.closing import Correction, NotClosed, close_alarm, close_difference
from portfolio.reconciliation.difference_rows import AGREES
from tests.accounts import AN_ORDER, DAY, IST, paper_account
from tests.portfolio.reconciliation.sides import order_there
from tests.portfolio.reconciliation.written_venue import WrittenVenue, reconciled

pytestmark = pytest.mark.django_db
AT = datetime(2026, 2, 3, 10, 0, tzinfo=IST)
YESTERDAY = datetime(2026, 2, 2, 10, 0, tzinfo=IST)


@pytest.fixture
def account(db) -> TradingAccount:
    return paper_account(User.objects.create_user("asha"))


def difference(account: TradingAccount, kind: str = "quantity_differs", **changes: Any) -> Difference:
    values: dict[str, Any] = {"ours": {"symbol": "AAA", "quantity": 10}, "theirs": {"symbol": "AAA", "quantity": 7}}
    values |= {"since": YESTERDAY, "checked_at": YESTERDAY, "action": "x", "subject": "AAA"}
    return Difference.objects.create(account=account, kind=kind, **(values | changes))


def test_a_difference_is_closed_with_a_correction_that_makes_both_sides_agree(account):
    opening = {"kind": "opening", "symbol": "AAA", "quantity": 10, "price": Decimal(100), "reference": "o"}
    LedgerEntry.objects.create(account=account, day=DAY, **opening)
    row = difference(account)
    close_difference(row, account.owner, " Three were pledged away. ", AT, Correction("AAA", -3))
    row.refresh_from_db()
    assert (row.closed_at, row.closed_by, row.reason) == (AT, "asha", "Three were pledged away.")
    entry = LedgerEntry.objects.get(kind="correction")
    assert (entry.reference, entry.day, entry.quantity, entry.reason) == (
        *(f"difference:{row.pk}", date(2026, 2, 3), -3),
        "Three were pledged away.",
    )
    assert holdings_of(account, AT.date())["AAA"].quantity == 7
    assert blocks_of(account, AT.date()) == []


def test_money_is_corrected_too(account):
    row = difference(account, "cash_differs", subject="cash")
    close_difference(row, account.owner, "Interest.", AT, Correction(amount=Decimal("-12.50")))
    assert cash_of(account, AT.date()).total == Decimal("-12.5000")


@pytest.mark.parametrize("reason", ["", "  \n ", "\0", "x" * 301])
def test_without_a_fit_reason_nothing_is_closed(account, reason):
    row = difference(account, "order_missing_there")
    alarm = OrderAlarm.objects.create(
        order=Order.objects.create(account=account, **AN_ORDER), alarm="overfill", since=AT
    )
    with pytest.raises(NotClosed, match="reason"):
        close_difference(row, account.owner, reason, AT)
    with pytest.raises(NotClosed, match="reason"):
        close_alarm(alarm, account.owner, reason, AT)
    assert (Difference.objects.get().closed_at, OrderAlarm.objects.get().closed_at) == (None, None)


@pytest.mark.parametrize("kind", ["fill_unknown_there", "quantity_differs", "cash_differs", "charges_differ"])
def test_what_blocks_needs_a_correction(account, kind):
    row = difference(account, kind)
    with pytest.raises(NotClosed, match="correction"):
        close_difference(row, account.owner, "Looked at it.", AT)
    with pytest.raises(NotClosed, match="changes neither shares nor money"):
        close_difference(row, account.owner, "Looked at it.", AT, Correction())
    with pytest.raises(NotClosed, match="names no share"):
        close_difference(row, account.owner, "Looked at it.", AT, Correction(quantity=1))
    row.refresh_from_db()
    assert (row.closed_at, LedgerEntry.objects.count()) == (None, 0)


@pytest.mark.parametrize(("kind", "action"), [("order_missing_there", "x"), ("cash_differs", AGREES)])
def test_what_does_not_block_or_agrees_again_needs_none(account, kind, action):
    row = close_difference(difference(account, kind, action=action), account.owner, "Looked at it.", AT)
    assert (row.closed_by, LedgerEntry.objects.count()) == ("asha", 0)


def test_another_persons_difference_and_alarm_stay_open(account):
    other = User.objects.create_user("ravi", is_superuser=True, is_staff=True)
    row = difference(account, "order_missing_there")
    alarm = OrderAlarm.objects.create(
        order=Order.objects.create(account=account, **AN_ORDER), alarm="overfill", since=AT
    )
    with pytest.raises(NotClosed, match="another person's"):
        close_difference(row, other, "Mine?", AT)
    with pytest.raises(NotClosed, match="another person's"):
        close_alarm(alarm, other, "Mine?", AT)
    assert (Difference.objects.get().closed_at, OrderAlarm.objects.get().closed_at) == (None, None)


def test_a_second_closing_is_refused_and_corrects_nothing(account):
    row = difference(account, "cash_differs")
    close_difference(row, account.owner, "Interest.", AT, Correction(amount=Decimal(5)))
    with pytest.raises(NotClosed, match=r"closed at 03 Feb 10:00 by asha"):
        close_difference(row, account.owner, "Again.", AT, Correction(amount=Decimal(5)))
    assert LedgerEntry.objects.count() == 1
    alarm = OrderAlarm.objects.create(
        order=Order.objects.create(account=account, **AN_ORDER), alarm="overfill", since=AT
    )
    close_alarm(alarm, account.owner, "The broker explained it.", AT)
    with pytest.raises(NotClosed, match="closed at"):
        close_alarm(alarm, account.owner, "Again.", AT)
    assert (OrderAlarm.objects.get().reason, blocks_of(account)) == ("The broker explained it.", [])


def test_a_fill_that_is_closed_with_a_correction_stays_closed(account):
    row = order_there("9", filled=6, tag=None)
    facts = {"ours": {"symbol": "AAA"}, "theirs": {}, "subject": "NSE:2026-02-03:T1"}
    closed = close_difference(
        difference(account, "fill_unknown_there", **facts), account.owner, "x", AT, Correction("AAA", -6)
    )
    reconciled(account, WrittenVenue(book=[row]), AT)
    assert Difference.objects.filter(kind="fill_unknown_there").get() == closed


def test_the_database_refuses_a_closed_alarm_without_a_reason(account):
    alarm = OrderAlarm.objects.create(
        order=Order.objects.create(account=account, **AN_ORDER), alarm="overfill", since=AT
    )
    with pytest.raises(Exception, match="order_alarms_closed_with_reason"), transaction.atomic():
        OrderAlarm.objects.filter(pk=alarm.pk).update(closed_at=AT)
