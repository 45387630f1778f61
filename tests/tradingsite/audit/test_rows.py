"""What an entry says of rights, uploads, and locks that were lifted."""

from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import Group, Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from market_data.models import ImportedFile
from tests.published import SESSION

pytestmark = pytest.mark.django_db


def test_rights_that_are_given_and_taken(entries, asha):
    group, right = Group.objects.create(name="Operators"), Permission.objects.get(codename="change_pipelinerun")
    before = len(entries())
    group.permissions.add(right)
    asha.groups.add(group)
    asha.user_permissions.set([right])
    asha.groups.clear()
    given = [(entry.act, entry.table_name, (entry.after or entry.before)) for entry in entries()[before:]]
    assert [(act, table) for act, table, _ in given] == [
        ("insert", "auth_group_permissions"),
        ("insert", "users_groups"),
        ("insert", "users_user_permissions"),
        ("delete", "users_groups"),
    ]
    assert given[0][2]["permission_id"] == given[2][2]["permission_id"] == right.pk
    assert given[1][2] == given[3][2]


def test_an_upload_without_its_contents(client, entries, asha):
    client.force_login(asha)
    sent = {
        "kind": "market_days",
        "file": SimpleUploadedFile("days.csv", b"date,kind,is_session\n2027-01-26,holiday,no\n"),
    }
    client.post(reverse("admin:market_data_importedfile_add"), sent)
    file = ImportedFile.objects.get()
    uploaded, started = entries(table_name="imported_files")
    assert (uploaded.act, uploaded.actor, uploaded.row_id) == ("insert", "asha", str(file.pk))
    assert uploaded.after["sha256"] == file.sha256
    assert "content" not in uploaded.after
    assert (started.act, started.after) == ("update", {"check_run_id": file.check_run_id})
    [run] = entries(table_name="pipeline_runs")
    assert (run.act, run.run_id, run.actor) == ("insert", file.check_run_id, "asha")


def test_a_lock_that_is_lifted_by_somebody_not_by_time(client, entries, asha):
    attempt = {
        "username": "ravi",
        "ip_address": "192.0.2.7",
        "get_data": "",
        "post_data": "planted",
        "failures_since_start": 9,
    }
    old = timezone.now() - timedelta(days=2)
    AccessAttempt.objects.create(**attempt)
    AccessAttempt.objects.update(attempt_time=old)
    client.post("/login/", {"username": "asha", "password": "wrong"})
    assert entries(table_name="axes_accessattempt") == []
    locked = AccessAttempt.objects.create(**attempt | {"username": "kiran"})
    client.force_login(asha)
    client.post(reverse("admin:axes_accessattempt_delete", args=[locked.pk]), {"post": "yes"})
    [entry] = entries(table_name="axes_accessattempt")
    assert (entry.act, entry.actor, entry.before["username"]) == ("delete", "asha", "kiran")
    assert "planted" not in str(entry.before)


def test_a_market_day_that_is_corrected(client, entries, asha):
    client.force_login(asha)
    sent = {"date": str(SESSION), "kind": "normal", "is_session": "on", "source": "circular"}
    client.post(reverse("admin:market_data_marketday_add"), sent)
    address = reverse("admin:market_data_marketday_change", args=[SESSION])
    assert client.post(address, sent | {"is_session": "", "kind": "holiday"}).status_code == 302
    changed = entries(table_name="market_days")[-1]
    assert (changed.row_id, changed.before["kind"], changed.after["kind"]) == (str(SESSION), "normal", "holiday")
