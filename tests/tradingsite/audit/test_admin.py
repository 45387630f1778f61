"""The audit in the admin: readable, searched, filtered, only for those who may look."""

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from portfolio.models import Strategy
from tests.runs import make_run

pytestmark = pytest.mark.django_db
LIST = "admin:tradingsite_auditentry_changelist"


def shown(client, **filters) -> str:
    answer = client.get(reverse(LIST), filters)
    assert answer.status_code == 200
    page: str = answer.content.decode()
    return page


def test_the_list_shows_before_and_after(client, asha):
    client.force_login(asha)
    strategy = Strategy.objects.create(name="Mine<script>", kind="growth", capital=100)
    Strategy.objects.filter(pk=strategy.pk).update(capital=250)
    run = make_run(status="failed", step_status="failed", done=1)
    client.post(f"/admin/task/{run.pk}/retry-failed")
    page = shown(client)
    assert "<b>capital</b> 100.0 → 250.0" in page
    assert "Mine&lt;script&gt;" in page
    assert "Mine<script>" not in page
    assert f">{run.pk}</a>" in page
    assert "250.0" not in shown(client, channel="api")
    assert "failed → running" in shown(client, actor="asha", table_name="pipeline_runs")
    assert "250.0" in shown(client, q="strategies")
    assert "250.0" not in shown(client, q="asha")
    assert "capital" in client.get(reverse("admin:tradingsite_auditentry_export")).getvalue().decode()


def test_only_those_who_may_look_find_it(client, django_user_model):
    user = django_user_model.objects.create_user("ravi", is_staff=True)
    client.force_login(user)
    assert client.get(reverse(LIST)).status_code == 403
    assert reverse(LIST) not in client.get("/admin/").content.decode()
    user.user_permissions.add(Permission.objects.get(codename="view_auditentry"))
    assert client.get(reverse(LIST)).status_code == 200
    assert reverse(LIST) in client.get("/admin/").content.decode()
