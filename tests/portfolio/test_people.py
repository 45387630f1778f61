"""People are deactivated, never deleted; their access ends at once; one superuser stays."""

import threading
import time
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client

from brokers.models import BrokerConfiguration
from portfolio import people
from portfolio.models import ApiToken, Strategy, User
from tests.locks import waiting_sessions
from tests.tokens import token_key

pytestmark = pytest.mark.django_db
LAST = "is the last active superuser"


def superuser(name: str) -> User:
    return User.objects.create_superuser(name, password=f"long-{name}-password")


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def page_of(user: User, page: str = "change") -> str:
    return f"/admin/portfolio/user/{user.pk}/{page}/"


def form_of(user: User, *, without: str = "", **changes: str) -> dict[str, str]:
    boxes = {
        name: "on" for name in ("is_active", "is_staff", "is_superuser") if getattr(user, name) and name != without
    }
    joined = {"date_joined_0": "2026-01-01", "date_joined_1": "10:00:00"}
    return {"first_name": user.first_name, "last_name": "", "email": user.email, **joined, **boxes, **changes}


def test_the_access_of_a_deactivated_person_ends_at_once_and_for_good():
    root, clerk = superuser("root"), User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_pipelinerun"))
    browser, other = logged_in(clerk), logged_in(root)
    program: dict[str, Any] = {"HTTP_AUTHORIZATION": f"Token {token_key(clerk)}"}
    assert browser.get("/admin/system/status").status_code == 200
    assert Client().get("/admin/system/status", **program).status_code == 200
    assert other.post(page_of(clerk), form_of(clerk, without="is_active")).status_code == 302
    assert browser.get("/admin/").status_code == 302
    for client, headers in ((browser, {}), (Client(), program)):
        assert client.get("/admin/system/status", **headers).status_code == 401
    clerk.refresh_from_db()
    assert other.post(page_of(clerk), form_of(clerk, is_active="on")).status_code == 302
    assert User.objects.get(pk=clerk.pk).is_active
    assert browser.get("/admin/").status_code == 302  # what ended does not revive
    assert Client().get("/admin/system/status", **program).status_code == 401
    assert other.get("/admin/").status_code == 200
    assert Session.objects.count() == 1


def test_an_account_is_deactivated_by_command(capsys):
    superuser("root")
    asha = User.objects.create_user("asha")
    token_key(asha)
    browser = logged_in(asha)
    call_command("deactivate_user", "asha")
    assert "asha is deactivated" in capsys.readouterr().out
    assert not User.objects.get(pk=asha.pk).is_active
    assert not ApiToken.objects.filter(revoked_at=None).exists()
    assert "Log out" not in browser.get("/picks/").content.decode()
    with pytest.raises(CommandError, match="no user 'nobody'"):
        call_command("deactivate_user", "nobody")
    with pytest.raises(CommandError, match=f"root {LAST}.*createsuperuser"):
        call_command("deactivate_user", "root")


@pytest.mark.parametrize("lost", ["is_active", "is_superuser"])
def test_the_last_active_superuser_stays_one(lost):
    root = superuser("root")
    gone = superuser("gone")
    people.deactivate(gone)
    answer = logged_in(root).post(page_of(root), form_of(root, without=lost))
    assert f"root {LAST}" in answer.content.decode()
    for change in (
        lambda: User.objects.update(**{lost: False}),
        lambda: User.objects.filter(pk=root.pk).update(**{lost: False}),
    ):
        with pytest.raises(IntegrityError, match=LAST), transaction.atomic():
            change()
    root.refresh_from_db()
    assert root.is_active
    assert root.is_superuser
    superuser("second")
    assert logged_in(root).post(page_of(root), form_of(root, without=lost)).status_code == 302


def test_the_last_superuser_who_can_open_the_admin_stays_in_it():
    root, outside = superuser("root"), superuser("outside")
    browser = logged_in(root)
    assert browser.post(page_of(outside), form_of(outside, without="is_staff")).status_code == 302
    for lost in ("is_active", "is_superuser", "is_staff"):
        answer = browser.post(page_of(root), form_of(root, without=lost))
        assert f"root {LAST}" in answer.content.decode()
    with pytest.raises(people.LastSuperuser), transaction.atomic():
        people.deactivate(root)
    assert browser.get("/admin/").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_two_superusers_cannot_deactivate_each_other_at_once():
    first, second = superuser("first"), superuser("second")
    answers = []

    def deactivate(by: Client, whom: User) -> None:
        try:
            answers.append(by.post(page_of(whom), form_of(whom, without="is_active")).status_code)
        finally:
            connection.close()

    # To log in writes to the person's row, too: in the threads it would wait there.
    pairs = (logged_in(first), second), (logged_in(second), first)
    threads = [threading.Thread(target=deactivate, args=pair) for pair in pairs]
    with transaction.atomic():
        list(User.objects.select_for_update())  # both wait here, each having read that the other is active
        for thread in threads:
            thread.start()
        while waiting_sessions() < 2 and any(thread.is_alive() for thread in threads):
            time.sleep(0.01)
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 302]
    assert User.objects.filter(is_active=True, is_superuser=True).count() == 1


def test_nobody_is_deleted(admin_client):
    asha = User.objects.create_user("asha")
    assert admin_client.get(page_of(asha, "delete")).status_code == 403
    assert admin_client.post(page_of(asha, "delete"), {"post": "yes"}).status_code == 403
    bulk = {"action": "delete_selected", "_selected_action": [asha.pk], "post": "yes"}
    admin_client.post("/admin/portfolio/user/", bulk)
    assert "delete_selected" not in admin_client.get("/admin/portfolio/user/").content.decode()
    for remove in (asha.delete, User.objects.all().delete):
        with pytest.raises(IntegrityError, match="deactivate the account instead"), transaction.atomic():
            remove()
    assert User.objects.filter(username="asha").exists()


@pytest.mark.parametrize("model", [BrokerConfiguration, Strategy])
def test_rows_of_people_keep_their_person(model):
    [field] = [field for field in model._meta.fields if field.related_model is User]
    assert field.remote_field.on_delete.__name__ == "PROTECT"


def test_what_a_deactivated_person_did_stays_in_the_history(admin_client):
    root = superuser("root")
    logged_in(root).post(page_of(root), form_of(root, email="root@example.org"))
    people.deactivate(root)
    assert LogEntry.objects.get(user=root).object_repr == "root"
    assert "root" in admin_client.get(page_of(root, "history")).content.decode()


def test_a_holder_of_change_user_keeps_the_list_of_traders_and_no_more():
    clerk, asha = User.objects.create_user("clerk", is_staff=True), User.objects.create_user("asha")
    clerk.user_permissions.set(Permission.objects.filter(codename__in=("change_user", "view_user")))
    browser = logged_in(clerk)
    shown = browser.get(page_of(asha)).content.decode()
    assert 'name="is_superuser"' not in shown
    assert 'name="username"' not in shown
    assert asha.password not in shown
    assert browser.get(page_of(asha, "password")).status_code == 403
    form = {"first_name": "Asha", "email": "asha@example.org", "username": "root", "is_staff": "on"}
    assert browser.post(page_of(asha), form).status_code == 302
    asha.refresh_from_db()
    assert (asha.username, asha.first_name, asha.email, asha.is_staff) == ("asha", "Asha", "asha@example.org", False)
    assert not asha.is_active  # the box was not ticked
    assert browser.get(page_of(clerk)).status_code == 200
    assert browser.post(page_of(clerk), form).status_code == 403


def test_a_superuser_makes_members_of_staff_and_renames_nobody(admin_client):
    asha = User.objects.create_user("asha")
    assert admin_client.post(page_of(asha), form_of(asha, username="root", is_staff="on")).status_code == 302
    asha.refresh_from_db()
    assert (asha.username, asha.is_staff) == ("asha", True)
    passwords = {"password1": "Another-2026-one", "password2": "Another-2026-one", "usable_password": "true"}
    assert admin_client.post(page_of(asha, "password"), passwords).status_code == 302
    assert User.objects.get(pk=asha.pk).check_password("Another-2026-one")
