"""A nudge makes the sender read the book at its next turn, once, and only for a live account."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache

from portfolio.models import Order, TradingAccount, User
from portfolio.sending.nudges import nudge
from portfolio.sending.polling import Book
from tests.accounts import AN_ORDER, IST, paper_account
from tests.portfolio.reconciliation.written_venue import WrittenVenue

pytestmark = pytest.mark.django_db
AT = datetime(2026, 2, 2, 10, 0, tzinfo=IST)
SECOND = timedelta(seconds=1)


class CountingVenue(WrittenVenue):
    """Knows how often its book was read."""

    times = 0

    def orders(self) -> Any:
        self.times += 1
        return super().orders()


@pytest.mark.parametrize(("kind", "reads"), [("live", 2), ("paper", 1)])
def test_a_nudge_is_one_earlier_reading(db, kind, reads):
    cache.clear()
    owner = User.objects.create_user("asha")
    account = paper_account(owner)
    if kind == "live":
        facts = {"kind": "live", "broker": "zerodha", "charges_of": "zerodha"}
        configuration = owner.broker_configurations.create(broker="zerodha")
        account = TradingAccount.objects.create(owner=owner, name="Live", configuration=configuration, **facts)
    Order.objects.create(account=account, **AN_ORDER | {"status": "open", "broker_order_id": "1"})
    venue: Any = CountingVenue()
    book = Book(account, venue)
    book.poll(AT)
    book.poll(AT + SECOND)
    assert venue.times == 1
    nudge(account.pk)
    book.poll(AT + 2 * SECOND)
    book.poll(AT + 3 * SECOND)
    assert venue.times == reads
