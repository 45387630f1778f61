"""Whose rows are whose: nobody sees another's on any page, in any file or by any filter."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client

from brokers.models import BrokerConfiguration
from portfolio.models import ApiToken, Order, Position, Strategy, Trade, User
from tests.owners import OWNED, SECRET, Owner, World, base, make_world, owner_named
from tests.tradingsite.test_who_may import FIRST_ROUTES, ROUTES, concrete

pytestmark = pytest.mark.django_db
SECRET_COLUMNS = {
    *(("users", "password"), ("api_tokens", "digest"), ("django_session", "session_data")),
    *(("second_factors", "secret"), ("recovery_codes", "digest")),
    *(("broker_configurations", name) for name in ("api_secret", "access_token")),
}


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def two_owners() -> tuple[Client, Owner, Owner]:
    """Two members of staff with all permissions, who are no superusers."""
    mine, others = owner_named("meera", is_staff=True), owner_named("omar", is_staff=True)
    for owner in (mine, others):
        owner.user.user_permissions.set(Permission.objects.all())
    client = Client()
    client.force_login(mine.user)
    return client, mine, others


@pytest.mark.parametrize(
    "routes", [sorted(FIRST_ROUTES), pytest.param(ROUTES, marks=pytest.mark.long)], ids=["one of each rule", "all"]
)
def test_nobody_sees_anothers_rows_on_any_page(two_owners, routes):
    client, mine, others = two_owners
    # Pages, and of a table its list and its file; single rows of other tables are nobody's.
    addresses = [concrete(route) for route in routes if "object_id" not in route]
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
