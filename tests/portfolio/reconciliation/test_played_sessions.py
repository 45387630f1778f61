"""Sessions that were played on paper leave no difference between the account and its simulated broker."""

from datetime import datetime

import pytest

from portfolio.models import Difference, OrderEvent, TradingAccount
from portfolio.paper.replay import paper_replay
from portfolio.reconciliation.account import reconcile
from portfolio.reconciliation.moments import moment_of
from portfolio.sending.venues import venue_of
from tests.accounts import IST
from tests.portfolio.paper.markets import trading_market
from tests.portfolio.paper.test_replay import ROTATING, rotate, terms

pytestmark = pytest.mark.django_db


def test_both_sides_agree_to_the_share_and_the_paisa():
    days = trading_market(ROTATING)
    rotate(days)
    assert paper_replay(terms(days), lambda done, total: None)["trades"]
    account = TradingAccount.objects.get()
    at = moment_of(account, datetime(2030, 1, 1, tzinfo=IST))
    assert at.date() in days  # of its last order
    events = OrderEvent.objects.count()
    with venue_of(account, lambda: at) as venue:
        assert reconcile(account, venue, at) == []
        # Something was compared: without a share of ours there is a difference.
        account.ledger.model.objects.create(
            account=account, day=days[0], kind="correction", symbol="A", quantity=-1, reference="x", reason="x"
        )
        assert [row.kind for row in reconcile(account, venue, at)] == ["quantity_differs"]
    assert (OrderEvent.objects.count(), Difference.objects.count()) == (events, 1)
