"""What blocks an account, and from when on."""

from datetime import date, datetime

import pytest

from portfolio.models import Difference, Order, OrderAlarm, User
from portfolio.reconciliation.blocks import blocked_shares, blocks_of
from tests.accounts import AN_ORDER, IST, paper_account

pytestmark = pytest.mark.django_db
AT = datetime(2026, 2, 2, 10, 0, tzinfo=IST)


@pytest.fixture
def account(db):
    return paper_account(User.objects.create_user("asha"))


def difference(account, kind: str, subject: str, **changes) -> Difference:
    values = {"ours": {"symbol": "AAA"}, "theirs": {}, "since": AT, "checked_at": AT, "action": "x"}
    return Difference.objects.create(account=account, kind=kind, subject=subject, **(values | changes))


def test_blocking_differences_block_from_the_next_day_on(account):
    difference(account, "quantity_differs", "AAA")
    difference(account, "event_due", "BBB")
    difference(account, "cash_differs", "cash", closed_at=AT, reason="entered")
    assert blocks_of(account, date(2026, 2, 2)) == []
    assert blocks_of(account, date(2026, 2, 3)) == ["difference quantity_differs: AAA"]
    assert blocks_of(account) == ["difference quantity_differs: AAA"]


def test_an_alarm_blocks_at_once_until_it_is_closed(account):
    order = Order.objects.create(account=account, **AN_ORDER)
    alarm = OrderAlarm.objects.create(order=order, alarm="overfill", since=AT)
    assert blocks_of(account, date(2026, 2, 2)) == [f"alarm overfill of order {order.pk} (AAA)"]
    assert blocks_of(paper_account(account.owner, "Other")) == []
    OrderAlarm.objects.filter(pk=alarm.pk).update(closed_at=AT, reason="Looked at it.")
    assert blocks_of(account) == []


def test_an_order_that_is_missing_there_blocks_its_share_alone(account):
    difference(account, "order_missing_there", "order 1")
    assert (blocks_of(account), blocked_shares(account)) == ([], {"AAA"})
