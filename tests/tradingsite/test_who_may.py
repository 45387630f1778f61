"""Access rules: who may read and who may change something, for every route; a route without a rule fails.

What a single permission is worth is in test_single_rights.py, and whose rows are whose in test_own_rows.py.

A line of RULES is a pattern over the route as Django knows it, who may read it, who may send to it. Everybody below
gets a log-in, 401 or 403. What a person with rights sends here is empty, so that it changes nothing either.
"""

import re
from collections.abc import Iterable, Iterator
from enum import IntEnum
from http.cookies import SimpleCookie
from typing import NamedTuple

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import transaction
from django.http import HttpResponse
from django.template.response import SimpleTemplateResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tests.tables import fill_every_table

pytestmark = pytest.mark.django_db


class Who(IntEnum):
    """People, each of whom may do what those before may."""

    VISITOR = 0  # not logged in
    TRADER = 1  # logged in
    STAFF = 2  # may enter the admin, and has no permission
    OPERATOR = 3  # staff with all permissions
    SUPERUSER = 4
    NOBODY = 5


V, T, S, OP, SU, N = Who


class Rule(NamedTuple):
    """A pattern over routes, who may open them, who may send something to them, and whether all of them may be opened.

    A table that a writer owns takes nothing even from an operator: tests/tradingsite/test_admin.py
    """

    routes: str
    reads: Who
    changes: Who = N
    of_some: bool = False


KEY = r"<(\w+:)?\w+>"
RULES = (
    # What a visitor reads in development asks for a log-in in production.
    Rule(r"|(picks|stocks|sectors|scoreboard|history|models|strategies|status|state)/|picks/list\.csv", V),
    Rule(rf"stocks/{KEY}/(bars\.json)?|history/{KEY}/{KEY}/|status/kept-out/{KEY}/", V),
    Rule(r"tax/", T, T),
    Rule(r"login/", V, V),
    Rule(r"confirm/|second-factor/", T, T),
    Rule(r"logout/", V, V),
    Rule(r"api/(suggested-stocks(/changes)?|scoreboard|models|schema|docs)/", V),
    Rule(r"backtests/", T, T),
    Rule(rf"backtests/(compare/|{KEY}/(state/|trades\.csv)?)", T),
    Rule(rf"backtests/{KEY}/(cancel|again)/", N, T),
    Rule(r"brokers/((callback|readiness)/)?", T),
    Rule(rf"brokers/{KEY}/(connect|test)/", N, T),
    Rule(r"accounts/", T, T),
    Rule(rf"accounts/{KEY}/((orders|trades|differences|ledger|tax)/)?", T),
    Rule(rf"accounts/{KEY}/plans/", T, T),
    Rule(rf"accounts/{KEY}/orders/new/", T, T),
    Rule(rf"accounts/{KEY}/live/", T, T),
    Rule(
        rf"accounts/live/|accounts/{KEY}/(live/off|plans/stop)/|(differences|alarms)/{KEY}/close/|plans/{KEY}/approve/",
        N,
        T,
    ),
    Rule(rf"(orders|plans)/{KEY}/", T),
    Rule(rf"orders/{KEY}/(cancel|modify|abandon)/", N, T),
    Rule(r"kill-switch/", T, OP),
    Rule(r"api/accounts/", T, T),
    Rule(rf"api/accounts/{KEY}/((holdings|trades|ledger|plans|differences|alarms)/)?", T),
    Rule(rf"api/accounts/{KEY}/orders/", T, T),
    Rule(rf"api/orders/{KEY}/", T),
    Rule(
        rf"api/orders/{KEY}/(cancel|modify|abandon)/|api/plans/{KEY}/approve/|api/(differences|alarms)/{KEY}/close/",
        N,
        T,
    ),
    Rule(r"api/kill-switch/", T),
    Rule(r"api/tax/", N, T),
    Rule(r"api/backtests/", T, T),
    Rule(rf"api/backtests/{KEY}/", T),
    Rule(r"favicon\.ico", V, V),
    Rule(r"postbacks/zerodha/", N, V),  # only a checksum counts: tests/tradingsite/web/test_postbacks.py
    Rule(r"metrics", OP),  # and this machine itself, or a token: tests/tradingsite/monitoring/test_metrics.py
    Rule(r"admin/login/", V, V),
    Rule(r"admin/logout/", V, V),
    Rule(r"admin/((jsi18n|search|password_change(/done)?)/)?", S, S),
    Rule(r"admin/autocomplete/", OP, OP, of_some=True),
    Rule(rf"admin/r/{KEY}/{KEY}/|admin/\^?\(\?P<(app_label|url)>.*", S, S),
    Rule(r"admin/(system|task/<str:task_id>)/status", OP),
    Rule(r"admin/(trigger/<str:job>|task/<str:task_id>/retry-failed)", N, OP),
    Rule(r"admin/operations/(run/<str:run_id>/)?state/", OP),
    Rule(r"admin/operations/kept-out/<str:day>/", OP),
    Rule(r"admin/operations/runbook/(<slug:slug>/)?", OP),
    Rule(r"admin/operations/run/<str:run_id>/roll-back/", OP, OP),
    Rule(r"admin/operations/(start/<str:slug>|evening/(hold|release))/", N, OP),
    Rule(r"admin/operations/run/<str:run_id>/(do/<str:action>|step/<str:step>/retry)/", N, OP),
    # A table: its list, its rows, its file.
    Rule(rf"admin/(?!password|operations)\w+/\w+/({KEY}/((change|history)/)?|export/)?", OP, OP),
    Rule(rf"admin/\w+/\w+/(add/|{KEY}/delete/)", OP, OP, of_some=True),
    Rule(r"admin/ml/championchange/put-back/|admin/brokers/importednote/import/", OP, OP),
    Rule(r"admin/portfolio/killswitch/switch/", OP, OP),
    Rule(rf"admin/portfolio/user/{KEY}/password/", SU, SU),
    Rule(rf"admin/market_data/importedfile/{KEY}/(check|import|undo|progress)/", OP, OP),
    Rule(rf"admin/market_data/importedfile/columns/{KEY}\.csv", OP, OP),
)


def addresses(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    for pattern in patterns:
        whole = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern.url_patterns, whole)
        else:
            yield whole


def concrete(route: str) -> str:
    """A path for a route: every parameter is 1, whatever it names."""
    text = re.sub(r"<[^>]+>", "1", route.replace("<day:day>", "2026-04-30"))
    text = re.sub(r"\(\?P<[^>]+>[^)]*\)", "stocks" if "app_label" in route else "1", text)
    return "/" + re.sub(r"[\^$\\]|\(\?:.*?\)", "", text)


ROUTES = sorted(set(addresses(get_resolver().url_patterns)))


def rules_of(route: str) -> list[Rule]:
    return [rule for rule in RULES if re.fullmatch(rule.routes, route)]


FIRST_ROUTES = {next((route for route in ROUTES if re.fullmatch(rule.routes, route)), "") for rule in RULES}
"""One route of each rule, for what is costly to ask of all."""


def client_of(who: Who) -> Client:
    client = Client(REMOTE_ADDR="192.0.2.7", raise_request_exception=True)
    if who > V:
        user = get_user_model().objects.create_user(who.name.lower(), is_staff=who >= S, is_superuser=who >= SU)
        if who == OP:
            user.user_permissions.set(Permission.objects.all())
        client.force_login(user)
    return client


def is_refusal(answer) -> bool:
    return answer.status_code in (401, 403) or (answer.status_code == 302 and "/login/" in answer["Location"])


def is_elsewhere(answer, who: Who) -> bool:
    """Whether staff are redirected: the object does not exist, or another page decides."""
    return who == S and answer.status_code == 302 and answer["Location"].startswith("/admin/")


def test_every_route_matches_exactly_one_rule():
    assert len(ROUTES) > 150
    assert [route for route in ROUTES if len(rules_of(route)) != 1] == []
    assert [rule.routes for rule in RULES if not any(re.fullmatch(rule.routes, route) for route in ROUTES)] == []


def fault(answer, who: Who, needed: Who, *, strict: bool) -> str:
    """What is wrong with a response to a user; empty when nothing is."""
    request = f"{who.name} {answer.request['REQUEST_METHOD']} {answer.request['PATH_INFO']} {answer.status_code}"
    refused = is_refusal(answer)
    if who < needed:
        return "" if refused or answer.status_code == 405 or is_elsewhere(answer, who) else f"{request} gets in"
    return f"{request} is refused" if refused and strict else ""


def bare_refusal(_request, exception):
    return HttpResponse(status=403)


@pytest.fixture
def bare_refusals(monkeypatch):
    """Refusals without their page, which would be drawn hundreds of times; other tests have it drawn."""
    monkeypatch.setattr("tradingsite.urls.handler403", f"{__name__}.bare_refusal")


@pytest.fixture
def undrawn_pages(monkeypatch):
    """Pages of the admin that are granted, without their content: other tests have each of them drawn."""
    monkeypatch.setattr(SimpleTemplateResponse, "rendered_content", "")


@pytest.mark.usefixtures("bare_refusals", "undrawn_pages")
@pytest.mark.parametrize("who", [V, T, S, OP, SU])
def test_who_may(who):
    client = client_of(who)
    cookies = {name: morsel.value for name, morsel in client.cookies.items()}
    faults = []
    for route in ROUTES:
        [rule] = rules_of(route)[:1] or [Rule("", N, N)]
        for method in ("get", "post"):
            needed = rule.reads if method == "get" else rule.changes
            if who == SU and needed < SU:
                continue  # an operator tried it
            if method == "post" and who >= needed and route not in FIRST_ROUTES:
                continue  # accepted or not, nothing is asserted but that it does not break
            with transaction.atomic():
                answer = getattr(client, method)(concrete(route))
                transaction.set_rollback(True)
            client.cookies = SimpleCookie(cookies)
            faults.append(fault(answer, who, needed, strict=method == "get" and not rule.of_some))
    assert [one for one in faults if one] == []


def faults_of_rare_methods(routes: Iterable[str]) -> list[str]:
    """What is wrong with a visitor's PUT, PATCH and DELETE on routes that take nothing from visitors."""
    client = Client(REMOTE_ADDR="192.0.2.7")
    sentences = []
    for route in routes:
        [rule] = rules_of(route)[:1] or [Rule("", N, N)]
        if rule.changes > V:
            answers = [getattr(client, method)(concrete(route)) for method in ("put", "patch", "delete")]
            sentences += [fault(answer, V, rule.changes, strict=False) for answer in answers]
    return [sentence for sentence in sentences if sentence]


def test_a_visitor_changes_nothing_by_rare_methods_either():
    assert faults_of_rare_methods(FIRST_ROUTES) == []


@pytest.mark.long
def test_a_visitor_changes_nothing_by_rare_methods_on_any_route():
    assert faults_of_rare_methods(ROUTES) == []


@pytest.mark.parametrize("route", [route for route in ROUTES if rules_of(route)[:1] and rules_of(route)[0].reads == V])
def test_in_production_reading_needs_a_login(client, settings, route):
    if route.endswith(("login/", "logout/", "favicon.ico")):
        return
    settings.READING_NEEDS_LOGIN = True
    assert is_refusal(client.get(concrete(route))), route


@pytest.mark.parametrize("address", ["/healthz", "/readyz"])
def test_health_is_public_and_read_only(client, address):
    assert client.get(address).status_code in (200, 503)
    assert client.post(address).status_code == 405


def test_a_visitors_post_with_real_keys_changes_nothing(client):
    fill_every_table()
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
