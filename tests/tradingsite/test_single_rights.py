"""What one permission is worth: never another's rights, password, token, secret or rows. And: whose rows are whose.

Each table's permissions get a person with these alone, and in `--long` each permission, so that a new one is tried.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.db import connection, transaction
from django.test import Client
from django_q.models import OrmQ, Schedule

from brokers.accounts import account_of, store_secrets
from brokers.files.contract_notes import LINES
from brokers.models import BrokerConfiguration, ImportedNote
from portfolio.models import ApiToken, Order, Position, Strategy, Trade, User
from tests.accounts import A_FILL, AN_ORDER, paper_account
from tests.tables import NOW
from tests.tokens import token_key
from tests.tradingsite.test_who_may import ROUTES, concrete

pytestmark = pytest.mark.django_db
SECRET = "topsecret-of-the-broker"
NO_FILLS: dict[str, Any] = {"fills": [], "differing": 0}
OWNED = (BrokerConfiguration, ImportedNote, Strategy, Order, Trade, Position, ApiToken)
SECRET_COLUMNS = {
    *(("users", "password"), ("api_tokens", "digest"), ("django_session", "session_data")),
    *(("second_factors", "secret"), ("recovery_codes", "digest")),
    *(("broker_configurations", name) for name in ("api_secret", "access_token")),
}


class Owner(NamedTuple):
    """A person, a row of each owned table by its key in the admin, and texts that only that person may read."""

    user: User
    keys: dict[type[Any], int]
    marks: tuple[str, ...]


def owner_named(name: str, **rights: Any) -> Owner:
    user = User.objects.create_user(name, password=f"long-{name}-password", **rights)
    mark = name.upper()
    strategy = Strategy.objects.create(owner=user, name=f"{mark}-IDEA", kind="growth")
    book = paper_account(user, f"{mark}-ACCOUNT")
    order = Order.objects.create(user=user, strategy=strategy, account=book, **AN_ORDER | {"symbol": f"{mark}-ORDER"})
    trade = Trade.objects.create(
        order=order, account=book, date=NOW.date(), **A_FILL | {"broker_trade_id": f"{mark}-TRADE"}
    )
    position = Position.objects.create(account=book, symbol=f"{mark}-HOLDING", product="cnc", quantity=1)
    account = account_of("fyers", user)
    store_secrets(account, client_id=f"{mark}-CLIENT", api_secret=SECRET)
    lines = dict.fromkeys(LINES, "0.00")
    note = ImportedNote.objects.create(
        user=user, broker="fyers", session=NOW.date(), number=f"{mark}-NOTE", stated=lines, computed=lines, **NO_FILLS
    )
    key = token_key(user)
    token = ApiToken.objects.get(user=user)
    keys = {Strategy: strategy.pk, Order: order.pk, Trade: trade.pk, Position: position.pk}
    keys |= {BrokerConfiguration: account.pk, ImportedNote: note.pk, ApiToken: token.pk}
    marks = [f"{mark}-{row}" for row in ("IDEA", "ORDER", "TRADE", "HOLDING", "CLIENT", "NOTE")]
    return Owner(user, keys, (*marks, key, key[:8], SECRET))


class World(NamedTuple):
    """A superuser, a member of staff and a trader, each with rows, and what belongs to nobody."""

    root: Owner
    clerk: Owner
    trader: Owner
    group: Group
    schedule: Schedule


@pytest.fixture
def world() -> World:
    group = Group.objects.create(name="Operators")
    schedule = Schedule.objects.create(
        name="x", func="market_data.tasks.heartbeat", schedule_type="C", cron="0 0 * * *"
    )
    OrmQ.objects.create(key="data", payload="x", lock=NOW)
    root = owner_named("root", is_staff=True, is_superuser=True)
    return World(root, owner_named("clerk", is_staff=True), owner_named("trader"), group, schedule)


def base(model: type[Any]) -> str:
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}"


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


def test_all_permissions_on_one_table_do_not_give_what_belongs_to_others(world):
    """Whoever has one of them alone can do no more; that is tried by itself below."""
    tables: dict[int, list[Permission]] = {}
    for permission in Permission.objects.select_related("content_type"):
        tables.setdefault(permission.content_type_id, []).append(permission)
    assert len(tables) > 30
    assert faults_of_each(world, tables.values(), everywhere=False) == []


@pytest.mark.long
def test_no_single_permission_gives_what_belongs_to_others_by_any_way(world):
    each = [[permission] for permission in Permission.objects.select_related("content_type")]
    assert len(each) > 120
    assert faults_of_each(world, each, everywhere=True) == []


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


# --- two owners -------------------------------------------------------------------------------------------------------
@pytest.fixture
def two_owners() -> tuple[Client, Owner, Owner]:
    """Two members of staff with all permissions, who are no superusers."""
    mine, others = owner_named("meera", is_staff=True), owner_named("omar", is_staff=True)
    for owner in (mine, others):
        owner.user.user_permissions.set(Permission.objects.all())
    client = Client()
    client.force_login(mine.user)
    return client, mine, others


def test_nobody_sees_anothers_rows_on_any_page(two_owners):
    client, mine, others = two_owners
    # Every page, and of a table its list and its file; single rows of other tables are nobody's.
    addresses = [concrete(route) for route in ROUTES if "object_id" not in route]
    for model in OWNED:
        addresses += [f"{base(model)}/?q=OMAR", f"{base(model)}/export/"]
        addresses += [f"{base(model)}/{others.keys[model]}/{page}/" for page in ("change", "history", "delete")]
    faults = []
    for address in addresses:
        answer = client.get(address)
        body = answer.getvalue().decode(errors="replace") if answer.status_code == 200 else ""
        faults += [f"{mark} at {address}" for mark in others.marks if mark in body]
    assert faults == []
    for owned, mark in zip((Strategy, Order, Trade, Position, BrokerConfiguration), mine.marks, strict=False):
        assert mark in client.get(f"{base(owned)}/").content.decode()  # one's own are there


@pytest.mark.parametrize(("model", "column"), [(Strategy, "name"), (Order, "symbol"), (Trade, "broker_trade_id")])
def test_an_exported_file_holds_ones_own_rows(two_owners, model, column):
    client, mine, others = two_owners
    form = {"resource": "0", "format": "0", f"{model._meta.model_name}resource_{column}": "on"}
    text = client.post(f"{base(model)}/export/", form).getvalue().decode()
    assert any(mark in text for mark in mine.marks)
    assert not any(mark in text for mark in others.marks)


def test_a_secret_column_is_no_filter(two_owners):
    client, mine, _ = two_owners
    digest = ApiToken.objects.get(user=mine.user).digest
    for address in (
        f"{base(ApiToken)}/?digest__startswith={digest[0]}",
        f"{base(BrokerConfiguration)}/?api_secret__gt=a",
    ):
        assert client.get(address).status_code == 400


def secret_paths(model: type[Any]) -> Iterator[str]:
    """Paths from a table to the secret columns of its own rows and of those that they are related to."""
    for field in model._meta.get_fields():
        related = field.related_model._meta.concrete_fields if field.is_relation and field.related_model else ()
        paths = [(f"{field.name}__{column.name}", column) for column in related]
        for path, column in (*paths, *([(field.name, field)] if field.concrete else [])):
            if (column.model._meta.db_table, column.name) in SECRET_COLUMNS:
                yield path


def test_no_list_is_filtered_by_a_secret_column_of_its_own_or_another_table(world, rf):
    request = rf.get("/")
    request.user = world.clerk.user
    paths = [(table, path) for table in admin.site._registry.values() for path in secret_paths(table.model)]
    assert {"api_tokens__digest", "digest", "second_factor__secret", "password", "api_secret", "user__password"} <= {
        path for _, path in paths
    }
    faults = [
        f"{table.model.__name__}: {lookup}"
        for table, path in paths
        for lookup in (path, f"{path}__startswith", f"{path}__gt")
        if table.lookup_allowed(lookup, "a", request)
    ]
    assert faults == []


def test_who_may_see_people_learns_no_token_by_filters(world):
    me = User.objects.create_user("looker", is_staff=True)
    me.user_permissions.set(Permission.objects.filter(codename="view_user"))
    client = Client()
    client.force_login(me)
    digest = ApiToken.objects.get(user=world.root.user).digest
    for lookup in ("api_tokens__digest__startswith", "api_tokens__digest__gte", "api_tokens__prefix__startswith"):
        for page in ("", "export/"):
            assert client.get(f"{base(User)}/{page}?{lookup}={digest[:2]}").status_code == 400


def test_everybody_works_on_their_own_rows(two_owners):
    client, mine, others = two_owners
    form = {"name": "New", "kind": "growth", "parameters": "{}", "is_active": "on", "owner": mine.user.pk}
    assert client.post(f"{base(Strategy)}/add/", form).status_code == 302
    made = Strategy.objects.get(name="New")
    assert made.owner == mine.user
    renamed = client.post(f"{base(Strategy)}/{made.pk}/change/", form | {"name": "MEERA-IDEA"})
    assert "already exists" in renamed.content.decode()
    form |= {"name": "Newer", "owner": others.user.pk}
    assert client.post(f"{base(Strategy)}/{made.pk}/change/", form).status_code == 302
    made.refresh_from_db()
    assert (made.name, made.owner) == ("Newer", mine.user)
    account = BrokerConfiguration.objects.get(user=mine.user)
    changed = {"user": others.user.pk, "broker": "zerodha", "client_id": "second", "is_data_account": "on"}
    assert client.post(f"{base(BrokerConfiguration)}/{account.pk}/change/", changed).status_code == 302
    account.refresh_from_db()
    assert (account.user, account.broker, account.client_id) == (mine.user, "fyers", "second")
    assert not account.is_data_account  # which everybody's data would come through
    twice = {"user": mine.user.pk, "broker": "fyers", "client_id": "again"}
    assert "already exists" in client.post(f"{base(BrokerConfiguration)}/add/", twice).content.decode()
    token = {"name": "a script", "scopes": ["read"], "days": "30", "user": others.user.pk}
    assert client.post(f"{base(ApiToken)}/add/", token).status_code == 200
    assert ApiToken.objects.get(name="a script").user == mine.user


def test_system_strategies_are_for_everybody_to_see_and_for_superusers_to_change(two_owners, world):
    client, _, _ = two_owners
    system = Strategy.objects.filter(owner=None).first()
    assert system is not None
    page = client.get(f"{base(Strategy)}/{system.pk}/change/")
    assert page.status_code == 200
    assert 'name="_save"' not in page.content.decode()
    form = {"name": system.name, "kind": system.kind, "parameters": '{"limit": 7}', "is_active": "on"}
    assert client.post(f"{base(Strategy)}/{system.pk}/change/", form).status_code == 403
    client.force_login(world.root.user)
    assert client.post(f"{base(Strategy)}/{system.pk}/change/", form).status_code == 302
    system.refresh_from_db()
    assert system.parameters == {"limit": 7}


def test_a_superuser_sees_all_rows_and_nobodys_secret(world):
    client = Client()
    client.force_login(world.root.user)
    for model in OWNED:
        key = world.trader.keys[model]
        pages = [client.get(address) for address in (f"{base(model)}/", f"{base(model)}/{key}/change/")]
        assert [page.status_code for page in pages] == [200, 200]
        text = "".join(page.content.decode() for page in pages)
        assert "trader" in text.lower()
        assert SECRET not in text
        assert not any(token.digest in text for token in ApiToken.objects.all())
    assert client.get(f"{base(ApiToken)}/export/").status_code in (302, 404)


def test_tables_that_decide_about_rights_are_in_no_form():
    shown = {model.__name__ for model in admin.site._registry}
    assert not {"Permission", "ContentType", "Session", "LogEntry", "Token"} & shown
