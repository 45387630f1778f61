"""Unclear orders, alarms and blocking differences: reported once an account, and first on the home page."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from portfolio.models import Difference, Order, OrderAlarm, TradingAccount, User
from portfolio.reconciliation.open_troubles import open_troubles
from tests.accounts import AN_ORDER, IST, paper_account
from tradingsite.alerts.conditions import CONDITIONS
from tradingsite.alerts.symptoms import CheckContext

pytestmark = pytest.mark.django_db
AT = datetime(2026, 2, 2, 10, 0, tzinfo=IST)


@pytest.fixture
def account(db) -> TradingAccount:
    return paper_account(User.objects.create_user("asha"))


def fill_account(account: TradingAccount) -> None:
    unknown: dict[str, Any] = AN_ORDER | {"status": "unknown", "symbol": "BBB"}
    Order.objects.create(account=account, **unknown)
    order = Order.objects.create(account=account, **AN_ORDER)
    OrderAlarm.objects.create(order=order, alarm="overfill", since=AT)
    OrderAlarm.objects.create(order=order, alarm="late_fill", since=AT, closed_at=AT, reason="x")
    for kind in ("quantity_differs", "event_due", "cash_differs"):
        Difference.objects.create(
            account=account, kind=kind, subject=kind[:4], ours={}, theirs={}, since=AT, checked_at=AT, action="x"
        )


def test_what_needs_somebody_comes_in_one_statement_unknown_orders_first(account, django_assert_num_queries):
    fill_account(account)
    replay = TradingAccount.objects.create(
        name="R", kind="paper", broker="simulator", charges_of="zerodha", is_replay=True
    )
    fill_account(replay)
    with django_assert_num_queries(1):
        sentences = [trouble.sentence for trouble in open_troubles()]
    assert sentences == [
        "nobody knows what became of order BBB",
        "the alarm overfill AAA",
        "the broker's book differs: cash_differs cash",
        "the broker's book differs: quantity_differs quan",
    ]


def test_each_account_and_sort_is_one_symptom(account):
    fill_account(account)
    now = timezone.now()
    result = CONDITIONS["orders"](CheckContext(now, now - timedelta(days=9), "data", "host", {}))
    assert [(symptom.key, symptom.title) for symptom in result.symptoms] == [
        (f"orders:unknown:{account.pk}", "The account Paper: nobody knows what became of order BBB."),
        (f"orders:alarm:{account.pk}", "The account Paper: the alarm overfill AAA."),
        (
            f"orders:difference:{account.pk}",
            "The account Paper: the broker's book differs: cash_differs cash, and 1 more.",
        ),
    ]
    assert f"/accounts/{account.pk}/differences/" in result.symptoms[0].remedy


def test_the_home_page_shows_them_before_anything_else(account, client):
    client.force_login(User.objects.create_superuser("root"))
    assert 'data-part="orders"' not in client.get("/admin/").content.decode()
    fill_account(account)
    page = client.get("/admin/").content.decode()
    assert page.index('data-part="orders"') < page.index('data-part="verdict"')
    assert "verdict red" in page
    for key in ("order-unknown", "order-alarm", "difference-blocks"):
        assert reverse("operations:runbook-entry", args=[key]) in page
