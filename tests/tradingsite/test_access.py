"""Who may open which address, over all addresses there are; a new one must be entered here."""

import re
from collections.abc import Iterator

import pytest
from django.contrib.auth import get_user_model
from django.urls import URLPattern, URLResolver, get_resolver

from tests.tables import fill_every_table

pytestmark = pytest.mark.django_db

# What a visitor who is not logged in may read in development. Everything else asks for a login.
OPEN = {
    "",
    "state/",
    "api/suggested-stocks/",
    "api/schema/",
    "api/docs/",
    "picks/",
    "stocks/",
    "sectors/",
    "history/",
    "strategies/",
    "status/",
    "login/",
    "admin/login/",
}
LOGINS = {"login/", "admin/login/"}
REFUSALS = {301, 302, 401, 403, 404, 405}


def addresses(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    for pattern in patterns:
        whole = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern.url_patterns, whole)
        else:
            yield whole


def concrete(route: str) -> str:
    """Fill a route's places: every key is 1, whatever it names."""
    text = re.sub(r"<[^>]+>", "1", route)
    text = re.sub(r"\(\?P<[^>]+>[^)]*\)", "1", text)
    return "/" + re.sub(r"[\^$\\]|\(\?:.*?\)", "", text)


ROUTES = sorted(set(addresses(get_resolver().url_patterns)))


def test_there_are_addresses():
    assert len(ROUTES) > 150
    assert set(ROUTES) >= OPEN


@pytest.mark.parametrize("route", ROUTES)
def test_a_visitor_reads_only_what_is_open_and_changes_nothing(client, route):
    address = concrete(route)
    read = client.get(address)
    if route in OPEN:
        assert read.status_code == 200, address
    else:
        assert read.status_code in REFUSALS, address
        if read.status_code == 302:
            assert "/login/" in read["Location"] or read["Location"].startswith(("/admin/", "/static/", "/login/"))
    if route not in LOGINS:
        for method in ("post", "put", "patch", "delete"):
            assert getattr(client, method)(address).status_code in REFUSALS, (method, address)


@pytest.mark.parametrize("route", sorted(OPEN - LOGINS))
def test_in_production_even_reading_asks_for_a_login(client, settings, route):
    settings.READING_NEEDS_LOGIN = True
    assert client.get(f"/{route}").status_code in {302, 401}


@pytest.mark.parametrize("route", [route for route in ROUTES if route.startswith("admin/")])
def test_a_person_who_is_not_staff_gets_no_further_in_the_admin(client, route):
    client.force_login(get_user_model().objects.create_user("trader"))
    if route in OPEN | {"admin/logout/"}:
        return
    address = concrete(route)
    assert client.get(address).status_code in REFUSALS
    assert client.post(address).status_code in REFUSALS


def test_a_visitors_post_with_real_keys_changes_nothing(client):
    fill_every_table()
    from django.contrib import admin

    for model in admin.site._registry:
        row = model._default_manager.first()
        assert row is not None
        before = model._default_manager.count()
        base = f"/admin/{model._meta.app_label}/{model._meta.model_name}"
        for address in (f"{base}/", f"{base}/add/", f"{base}/{row.pk}/change/", f"{base}/{row.pk}/delete/"):
            response = client.post(address, {"post": "yes", "action": "retry", "_selected_action": row.pk})
            assert response.status_code == 302
            assert "/admin/login/" in response["Location"]
        assert model._default_manager.count() == before
