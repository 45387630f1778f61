"""What API tokens may do: for every address of the API and each scope, only what the table says; on paper alone."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import pytest
from django.db import connection
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from rest_framework.views import APIView

from portfolio.models import ApiToken, Difference, Order, OrderAlarm, Scope, User
from portfolio.people import deactivate
from portfolio.token_authentication import PAPER_ONLY
from portfolio.tokens import digest_of
from tests.accounts import live_account
from tests.orders import AT
from tests.tokens import token_key
from tests.tradingsite.test_who_may import concrete

pytestmark = pytest.mark.django_db
READ, PORTFOLIO, TRADE, OPERATE = Scope.READ, Scope.PORTFOLIO, Scope.TRADE_PAPER, Scope.OPERATE
K: Final = r"<int:key>"
TABLE: Final = {
    r"api/(suggested-stocks(/changes)?|scoreboard|models|schema)/": {"GET": READ},
    r"api/docs/": {},
    r"api/tax/": {"GET": PORTFOLIO, "POST": PORTFOLIO},
    rf"api/backtests/({K}/)?": {"GET": PORTFOLIO, "POST": PORTFOLIO},
    rf"api/accounts/({K}/((holdings|orders|trades|ledger|plans|differences|alarms)/)?)?": {
        "GET": PORTFOLIO,
        "POST": TRADE,
    },
    rf"api/orders/{K}/((cancel|modify|abandon)/)?|api/(differences|alarms)/{K}/close/": {
        "GET": PORTFOLIO,
        "POST": TRADE,
    },
    rf"api/plans/{K}/approve/": {},
    r"api/kill-switch/": {"GET": PORTFOLIO},
    r"admin/(system|task/<str:task_id>)/status": {"GET": OPERATE, "POST": OPERATE},
    r"admin/(trigger/<str:job>|task/<str:task_id>/retry-failed)": {"GET": OPERATE, "POST": OPERATE},
}
METHODS: Final = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")


def api_routes(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    for pattern in patterns:
        whole = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from api_routes(pattern.url_patterns, whole)
        elif issubclass(getattr(pattern.callback, "cls", object), APIView):
            yield whole


ROUTES: Final = list(api_routes(get_resolver().url_patterns))


def scopes_of(route: str) -> dict[str, Scope]:
    """Which scope each method takes."""
    [scopes] = [scopes for pattern, scopes in TABLE.items() if re.fullmatch(pattern, route)]
    if not scopes:
        return {}
    return {"HEAD": scopes["GET"], **scopes}


def bearer(key: str) -> Client:
    return Client(headers={"Authorization": f"Token {key}"})


def sentence(answer: Any) -> str:
    body = answer.json()
    assert (body["success"], set(body["error"])) == (False, {"code", "message"})
    return str(body["error"]["message"])


def is_taken(client: Client, method: str, route: str) -> bool:
    """Whether the token was taken: whatever else is wrong with an empty request of nobody's row is said after that."""
    answer = client.generic(method, concrete(route), content_type="application/json")
    return answer.status_code not in (401, 403)


def test_every_address_of_the_api_is_in_the_table():
    assert len(ROUTES) > 20
    assert [route for route in ROUTES if not scopes_of(route) and not route.startswith(("api/docs", "api/plans"))] == []


@pytest.mark.parametrize("scope", Scope)
def test_a_token_of_one_scope_may_only_what_the_table_says(scope, monkeypatch):
    monkeypatch.setattr("rest_framework.throttling.SimpleRateThrottle.allow_request", lambda *_: True)
    client = bearer(token_key(User.objects.create_superuser("root"), scope))
    faults = []
    for route in ROUTES:
        scopes = scopes_of(route)
        for method in METHODS:
            may = scope in scopes.values() if method == "OPTIONS" else scopes.get(method) == scope
            if route != "api/docs/" and is_taken(client, method, route) != may:
                faults.append(f"{method} {route} is {'refused' if may else 'taken'}")
    assert faults == []


def test_the_page_of_the_documentation_knows_no_token(settings):
    settings.READING_NEEDS_LOGIN = True
    assert bearer(token_key(User.objects.create_user("asha"))).get("/api/docs/").status_code in (401, 403)


@pytest.mark.parametrize("scopes", [[], ["live"], ["read", "trade_live"], "read ", {"read": 1}, None])
def test_the_database_knows_no_other_scopes(scopes):
    facts = {"name": "x", "prefix": "x", "digest": digest_of("x"), "user": User.objects.create_user("asha")}
    with pytest.raises(Exception, match=r"api_tokens_known_scopes|violates not-null"):
        ApiToken.objects.create(scopes=scopes, **facts)


def test_a_token_may_no_more_than_its_person():
    clerk = bearer(token_key(User.objects.create_user("clerk", is_staff=True)))
    assert clerk.get("/admin/system/status").status_code == 403
    assert clerk.post("/admin/trigger/validation").status_code == 403


def test_what_is_not_in_force_is_refused_with_its_reason():
    asha = User.objects.create_user("asha")
    client = bearer(token_key(asha, READ))
    token, address = ApiToken.objects.get(), "/api/suggested-stocks/"
    assert client.get(address).status_code == 200
    lacking = client.get("/api/accounts/")
    assert (lacking.status_code, sentence(lacking)) == (403, "This API token lacks the scope portfolio; it has read.")
    for changes, words in (
        ({"expires_at": timezone.now() - timedelta(seconds=1)}, "This API token has expired; make another one."),
        ({"expires_at": None, "revoked_at": timezone.now()}, "This API token was revoked."),
        ({"digest": digest_of("another")}, "There is no such API token."),
    ):
        ApiToken.objects.filter(pk=token.pk).update(**changes)
        refused = client.get(address)
        assert (refused.status_code, sentence(refused), refused["WWW-Authenticate"]) == (401, words, "Token")


def test_who_is_deactivated_has_no_token_left():
    asha = User.objects.create_user("asha")
    client = bearer(token_key(asha))
    User.objects.filter(pk=asha.pk).update(is_active=False)
    assert sentence(client.get("/api/accounts/")) == "The account of this API token is deactivated."
    User.objects.filter(pk=asha.pk).update(is_active=True)
    assert client.get("/api/accounts/").status_code == 200
    deactivate(asha)
    User.objects.filter(pk=asha.pk).update(is_active=True)
    assert sentence(client.get("/api/accounts/")) == "This API token was revoked."


def test_use_is_noted_once_in_a_quarter_of_an_hour(django_assert_num_queries):
    client = bearer(token_key(User.objects.create_user("asha")))

    def noted() -> Any:
        assert client.get("/api/kill-switch/").status_code == 200
        return ApiToken.objects.get().last_used_at

    first = noted()
    assert (timezone.now() - first, noted()) < (timedelta(minutes=1), first + timedelta(seconds=1))
    assert noted() == first
    ApiToken.objects.update(last_used_at=first - timedelta(minutes=15))
    assert noted() >= first


# --- paper and live ---------------------------------------------------------------------------------------------------
def money() -> list[Any]:
    """All that is stored about orders and accounts."""
    tables = (
        "trading_accounts",
        "order_intents",
        "orders",
        "order_events",
        "plans",
        "live_permissions",
        "order_alarms",
        "differences",
    )
    with connection.cursor() as cursor:
        rows = []
        for table in tables:
            cursor.execute(f"SELECT t::text FROM {table} t ORDER BY 1")
            rows += cursor.fetchall()
        return rows


def test_a_token_with_every_scope_of_a_superuser_changes_nothing_of_a_live_account():
    root = User.objects.create_superuser("root")
    live = live_account(root)
    order = Order.objects.create(
        account=live, user=root, session=AT.date(), symbol="AAA", side="buy", quantity=1, order_type="market",
        product="cnc", broker="zerodha", status="open",
    )  # fmt: skip
    orders = [f"/api/orders/{order.pk}/{what}/" for what in ("cancel", "modify", "abandon")]
    alarm = OrderAlarm.objects.create(order=order, alarm="overfilled", facts="11 filled of 10", since=AT)
    facts = {
        "kind": "cash_differs",
        "subject": "",
        "ours": {},
        "theirs": {},
        "since": AT,
        "checked_at": AT,
        "action": "-",
    }
    row = Difference.objects.create(account=live, **facts)
    orders += [f"/api/alarms/{alarm.pk}/close/", f"/api/differences/{row.pk}/close/"]
    client, before = bearer(token_key(root)), money()
    body = {"key": "0123456789", "symbol": "AAA", "side": "buy", "quantity": 1, "order_type": "market"}
    for address in (f"/api/accounts/{live.pk}/orders/", *orders):
        refused = client.post(address, body, content_type="application/json")
        assert (refused.status_code, sentence(refused)) == (403, PAPER_ONLY)
    assert client.get(f"/api/accounts/{live.pk}/orders/").json()["orders"][0]["id"] == order.pk
    assert money() == before
