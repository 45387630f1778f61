"""Limits in the admin: set for one's own accounts by whoever may, checked, and in the audit."""

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from portfolio.models import AccountLimits, User
from tests.accounts import paper_account
from tradingsite.models import AuditEntry

pytestmark = pytest.mark.django_db
ADD = "admin:portfolio_accountlimits_add"


@pytest.fixture
def asha(client):
    user = User.objects.create_user("asha", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__endswith="_accountlimits"))
    client.force_login(user)
    return user


def test_limits_are_set_and_changed_and_audited(client, asha):
    account = paper_account(asha)
    assert client.post(reverse(ADD), {"account": account.pk, "order_value": "25000"}).status_code == 302
    row = AccountLimits.objects.get()
    change = reverse("admin:portfolio_accountlimits_change", args=[row.pk])
    assert client.post(change, {"order_value": "", "drawdown": "0.2"}).status_code == 302
    row.refresh_from_db()
    assert (row.account, row.order_value, str(row.drawdown)) == (account, None, "0.2000")
    entries = AuditEntry.objects.filter(table_name="account_limits").order_by("pk")
    assert [(entry.act, entry.actor) for entry in entries] == [("insert", "asha"), ("update", "asha")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("order_value", "0"), ("order_value", "-1"), ("order_value", "NaN"), ("order_value", "1e13")),
        *(("position_share", "1.01"), ("drawdown", "0"), ("orders_a_day", "0"), ("orders_a_day", "1.5")),
    ],
)
def test_a_limit_that_is_none_is_refused_beside_its_field(client, asha, name, value):
    page = client.post(reverse(ADD), {"account": paper_account(asha).pk, name: value})
    assert page.status_code == 200
    assert name in page.context["adminform"].form.errors
    assert not AccountLimits.objects.exists()


def test_nobody_sets_limits_of_anothers_account_or_of_a_replay(client, asha):
    foreign = paper_account(User.objects.create_user("binu"))
    row = AccountLimits.objects.create(account=foreign, order_value=1)
    assert client.post(reverse(ADD), {"account": foreign.pk, "drawdown": "0.5"}).status_code == 200
    change = reverse("admin:portfolio_accountlimits_change", args=[row.pk])
    assert client.post(change, {"order_value": "5"}).status_code == 302
    row.refresh_from_db()
    assert row.order_value == 1


def test_without_the_right_nothing_is_set(client, asha):
    asha.user_permissions.clear()
    assert client.post(reverse(ADD), {"account": paper_account(asha).pk, "drawdown": "0.5"}).status_code == 403
