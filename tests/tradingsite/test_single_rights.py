"""What one permission is worth: never another's rights, password, token, secret or rows.

Each table's permissions get a person with these alone, and in `--long` each permission, so that a new one is tried.
"""

from collections.abc import Iterable, Iterator
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection, transaction
from django.template.response import SimpleTemplateResponse
from django.test import Client
from django_q.models import OrmQ, Schedule

from brokers.models import BrokerConfiguration
from portfolio.models import ApiToken, Strategy, User
from tests.owners import OWNED, World, base, make_world
from tests.tradingsite.test_who_may import bare_refusals  # noqa: F401  # a fixture

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return make_world()


STATE = """
SELECT 'users', md5(string_agg(u::text, '')) FROM
    (SELECT id, username, password, is_superuser, is_staff FROM users
     WHERE id <> %(me)s AND (id = ANY(%(people)s) OR is_staff OR is_superuser) ORDER BY id) u
UNION ALL SELECT 'members', md5(string_agg(t::text, '')) FROM
    (SELECT * FROM users_groups WHERE user_id <> %(me)s ORDER BY id) t
UNION ALL SELECT 'permissions', md5(string_agg(t::text, '')) FROM
    (SELECT * FROM users_user_permissions WHERE user_id <> %(me)s ORDER BY id) t
UNION ALL SELECT 'groups', md5(string_agg(t::text, '')) FROM
    (SELECT g.name, p.* FROM auth_group g LEFT JOIN auth_group_permissions p ON p.group_id = g.id ORDER BY g.id, p.id) t
UNION ALL SELECT 'tokens', md5(string_agg(t::text, '')) FROM
    (SELECT * FROM api_tokens WHERE user_id <> %(me)s ORDER BY id) t
UNION ALL SELECT 'accounts', md5(string_agg(t::text, '')) FROM
    (SELECT * FROM broker_configurations WHERE user_id <> %(me)s ORDER BY id) t
UNION ALL SELECT 'strategies', md5(string_agg(t::text, '')) FROM
    (SELECT * FROM strategies WHERE owner_id IS DISTINCT FROM %(me)s ORDER BY id) t
UNION ALL SELECT 'orders', md5(string_agg(t::text, '')) FROM (SELECT * FROM orders ORDER BY id) t
UNION ALL SELECT 'trades', md5(string_agg(t::text, '')) FROM (SELECT * FROM trades ORDER BY id) t
UNION ALL SELECT 'positions', md5(string_agg(t::text, '')) FROM (SELECT * FROM positions ORDER BY id) t
UNION ALL SELECT 'schedules', md5(string_agg(t::text, '')) FROM (SELECT * FROM django_q_schedule ORDER BY id) t
UNION ALL SELECT 'queue', md5(string_agg(t::text, '')) FROM (SELECT * FROM django_q_ormq ORDER BY id) t
"""


def state(world: World, me: int) -> dict[str, str]:
    """Digests of all that somebody who is no superuser cannot change: of others, of nobody, or anybody's rights."""
    people = [world.root.user.pk, world.clerk.user.pk, world.trader.user.pk]
    with connection.cursor() as cursor:
        cursor.execute(STATE, {"me": me, "people": people})
        return dict(cursor.fetchall())


def gains(me: User) -> list[str]:
    """What somebody has that they were not given."""
    after = User.objects.get(pk=me.pk)
    has = [name for name in ("is_superuser", "username", "password") if getattr(after, name) != getattr(me, name)]
    return has + ([] if not after.groups.exists() else ["groups"])


def attacks(world: World, me: User) -> Iterator[tuple[str, dict[str, Any]]]:
    """Addresses and forms by which somebody would take what is not theirs; the most promising first."""
    everything = list(Permission.objects.values_list("pk", flat=True))
    rights = {"is_active": "on", "is_staff": "on", "is_superuser": "on", "user_permissions": everything}
    rights |= {"groups": [world.group.pk], "date_joined_0": "2026-01-01", "date_joined_1": "10:00"}
    passwords = {"password1": "Taken-over-2026", "password2": "Taken-over-2026", "usable_password": "true"}
    root, clerk, trader = (owner.user for owner in (world.root, world.clerk, world.trader))
    account, idea = world.trader.keys[BrokerConfiguration], world.trader.keys[Strategy]
    system = Strategy.objects.filter(owner=None).first()
    assert system is not None
    live = {"name": "momentum", "kind": "momentum", "parameters": "{}", "is_active": "on"}
    yield f"{base(User)}/{me.pk}/change/", {"username": me.username, **rights}
    yield f"{base(User)}/{root.pk}/password/", passwords
    token = {"name": "mine", "scopes": ["read"], "days": "30", "user": root.pk}
    yield f"{base(ApiToken)}/add/", token
    yield f"{base(BrokerConfiguration)}/{account}/change/", {"user": me.pk, "broker": "zerodha", "client_id": "mine"}
    yield f"{base(Strategy)}/{system.pk}/change/", live
    yield f"{base(Group)}/{world.group.pk}/change/", {"name": "Operators", "permissions": everything}
    yield f"{base(Schedule)}/add/", {"name": "y", "func": "os.system", "schedule_type": "O"}
    for user in (root, clerk, trader):
        yield f"{base(User)}/{user.pk}/change/", {"username": "renamed", "password": "x", **rights}
        yield f"{base(User)}/{user.pk}/password/", passwords
        yield f"{base(User)}/{user.pk}/delete/", {"post": "yes"}
    yield f"{base(User)}/add/", {"username": "new", **passwords, **rights}
    yield f"{base(Group)}/add/", {"name": "Mine", "permissions": everything}
    yield f"{base(BrokerConfiguration)}/add/", {"user": trader.pk, "broker": "zerodha", "client_id": "mine"}
    yield f"{base(Strategy)}/add/", live | {"owner": ""}
    yield f"{base(Strategy)}/add/", live | {"owner": trader.pk}
    yield f"{base(Strategy)}/add/", live | {"owner": me.pk}
    yield f"{base(Strategy)}/{idea}/change/", live | {"owner": me.pk}
    yield f"{base(Schedule)}/{world.schedule.pk}/change/", {"name": "x", "func": "os.system", "schedule_type": "O"}
    tokens = list(ApiToken.objects.values_list("pk", flat=True))
    yield f"{base(ApiToken)}/", {"action": "revoke_tokens", "_selected_action": tokens}
    for model in (User, Group, *OWNED, Schedule, OrmQ):
        keys = list(model._default_manager.values_list("pk", flat=True))
        yield f"{base(model)}/", {"action": "delete_selected", "_selected_action": keys, "post": "yes"}
        if model is not User:
            yield f"{base(model)}/{world.trader.keys.get(model, keys[0])}/delete/", {"post": "yes"}


def of_own_model(permission: Permission, address: str) -> bool:
    kind = permission.content_type
    return f"/{kind.app_label}/{kind.model}/" in address


def reads(world: World, permission: Permission) -> Iterator[str]:
    """Lists, files and rows of the permission's table, as far as they belong to others, filtered by what is secret."""
    for model in OWNED:
        if permission.content_type.model == model._meta.model_name:
            yield from (f"{base(model)}/", f"{base(model)}/export/", f"{base(model)}/?q=TRADER")
            for owner in (world.root, world.trader):
                key = owner.keys[model]
                yield from (f"{base(model)}/{key}/{page}/" for page in ("change", "history", "delete"))


def faults_of(world: World, permissions: list[Permission], before: dict[str, str], *, everywhere: bool) -> list[str]:
    """What staff with these permissions gain; without `everywhere` other tables are tried in the likely ways only."""
    me = User.objects.create_user("single", is_staff=True)
    me.user_permissions.set(permissions)
    client = Client(raise_request_exception=True)
    client.force_login(me)
    with patch.object(SimpleTemplateResponse, "rendered_content", ""):  # what a refused form looks like is not asked
        for place, (address, form) in enumerate(list(attacks(world, me))):
            if everywhere or place < 2 or any(of_own_model(permission, address) for permission in permissions):
                client.post(address, form)
    after = state(world, me.pk)
    faults = [f"changes {name}" for name in before if after[name] != before[name]]
    faults += [f"gains {name}" for name in gains(me)]
    if me.user_permissions.count() != len(permissions):
        faults.append("gains permissions")
    for address in {address for permission in permissions for address in reads(world, permission)}:
        answer = client.get(address)
        body = answer.getvalue().decode() if answer.status_code == 200 else ""
        marks = [mark for mark in (*world.root.marks, *world.trader.marks) if mark in body]
        faults += [f"reads {mark} at {address}" for mark in marks]
    return [f"{permissions[0].codename}: {fault}" for fault in faults]


def faults_of_each(world: World, sets: Iterable[list[Permission]], *, everywhere: bool) -> list[str]:
    before = state(world, 0)
    faults = []
    for permissions in sets:
        with transaction.atomic():
            faults += faults_of(world, permissions, before, everywhere=everywhere)
            transaction.set_rollback(True)
    return faults


@pytest.fixture
def tables() -> list[list[Permission]]:
    """Permissions by the table that they are of."""
    of_table: dict[int, list[Permission]] = {}
    for permission in Permission.objects.select_related("content_type"):
        of_table.setdefault(permission.content_type_id, []).append(permission)
    assert len(of_table) > 30
    return list(of_table.values())


@pytest.mark.usefixtures("bare_refusals")
def test_all_permissions_on_one_table_do_not_give_what_belongs_to_others(world, tables):
    """Whoever has one of them alone can do no more; that is tried by itself below."""
    assert faults_of_each(world, tables, everywhere=False) == []


@pytest.mark.usefixtures("bare_refusals")
@pytest.mark.long
def test_all_permissions_on_one_table_do_not_give_what_belongs_to_others_by_any_way(world, tables):
    assert faults_of_each(world, tables, everywhere=True) == []


@pytest.mark.usefixtures("bare_refusals")
@pytest.mark.long
def test_no_single_permission_gives_what_belongs_to_others(world, tables):
    each = [[permission] for permissions in tables for permission in permissions]
    assert len(each) > 120
    assert faults_of_each(world, each, everywhere=False) == []


@pytest.mark.usefixtures("bare_refusals")
def test_all_permissions_together_do_not_either(world):
    everything = list(Permission.objects.select_related("content_type"))
    assert faults_of(world, everything, state(world, 0), everywhere=True) == []


def test_the_attacks_work_for_a_superuser(world):
    """Otherwise a wrong address or form would prove nothing."""
    changed = set()
    before = state(world, 0)
    for address, form in list(attacks(world, world.clerk.user)):
        with transaction.atomic():
            client = Client()
            client.force_login(world.root.user)
            client.post(address, form)
            after = state(world, 0)
            changed |= {name for name in before if after[name] != before[name]}
            transaction.set_rollback(True)
    assert changed == {"users", "groups", "members", "permissions", "tokens", "accounts", "strategies"}
