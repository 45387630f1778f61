"""The API against its schema: no request breaks it, and every response is one that the schema declares."""

import re
import string
from collections.abc import Iterator
from datetime import date
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import schemathesis
from django.core.cache import cache
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.schemas import BaseSchema

from tests import model_cards
from tests.examples import examples
from tests.fuzz.counts import Counts
from tests.published import pick, publish
from tests.tokens import token_key

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(3600)]
URLS = ("/api/models/", "/api/scoreboard/", "/api/suggested-stocks/", "/api/suggested-stocks/changes/")
EMPTY, FILLED = "empty", "filled"
PLAIN = {"Accept-Encoding": "identity"}
"""The library's client does not read compressed answers."""


@pytest.fixture(params=[EMPTY, FILLED])
def database(request: pytest.FixtureRequest, db: None) -> str:
    cache.clear()
    if request.param == FILLED:
        earlier = publish("balanced", [pick(f"S{n}") for n in range(-1, 30)], session=date(2026, 4, 29))
        left = {"symbol": "S-1", "stock_name": None, "last_rank": 1, "last_place": None, "listed_since": "2026-04-29"}
        departures = [left | {"place": None, "reason": "RSI 71.5 is above 70"}]
        picks = [pick(f"S{n}", sector="Information Technology", standing="kept") for n in range(30)]
        publish("balanced", picks, previous=earlier, departures=departures)
        publish("growth", [pick("M&M", market_cap=None, pe_ratio=float("nan"), stock_name=None, sector=None)])
        publish("value", [], reason="Validation failed.")
        model_cards.store_champion()
        model_cards.store_report()
    return str(request.param)


@pytest.fixture
def _one_transaction() -> Iterator[None]:
    """Keep the connection between requests, as the test client does: the test's transaction lives on it."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def operations(database: str, _one_transaction: None) -> list[Any]:
    schema = schemathesis.openapi.from_wsgi(
        "/api/schema/", get_wsgi_application(), headers={"accept": "application/json"}
    )
    operations = documented_operations(schema)
    assert [operation.label for operation in operations] == [f"GET {url}" for url in URLS]
    return operations


def documented_operations(schema: BaseSchema) -> list[Any]:
    """Operations of a valid schema that anybody may try; those of operators and persons are tested by hand."""
    results = list(schema.get_all_operations())
    operations = [result.ok() for result in results if isinstance(result, Ok)]
    assert len(operations) == len(results)
    return [
        operation
        for operation in operations
        if not re.search(
            "/(admin|backtests|tax|accounts|orders|kill-switch|plans|alarms|differences)/", operation.label
        )
    ]


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_responses_conform_to_the_schema(operations, database, mode, counts: Counts):
    # An empty parameter means its default here, which a schema cannot express.
    excluded: list[Any] = [schemathesis.checks.CHECKS.get_one("negative_data_rejection")]
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and not list(operation.iter_parameters()):
            continue  # without parameters nothing can be asked wrongly

        @examples(0.2)
        @given(operation.as_strategy(mode))
        def attempt(case: schemathesis.Case) -> None:
            response = case.call_and_validate(headers=PLAIN, excluded_checks=excluded)
            counts.add(f"API, {mode.value}, {database}", accepted=response.status_code == 200)

        attempt()


@pytest.mark.usefixtures("_one_transaction")
def test_authentication_conforms_to_the_schema(settings, django_user_model, counts: Counts, database):
    """In production: 401 without a token, data with one, as the schema's security declares."""
    settings.READING_NEEDS_LOGIN = True
    key = token_key(django_user_model.objects.create_user("asha"), "read")
    authenticated = {"Authorization": f"Token {key}", **PLAIN}
    schema = schemathesis.openapi.from_wsgi("/api/schema/?format=json", get_wsgi_application(), headers=authenticated)
    for operation in documented_operations(schema):

        @examples(0.2)
        @given(operation.as_strategy(GenerationMode.POSITIVE))
        def attempt(case: schemathesis.Case) -> None:
            assert case.call_and_validate(headers=authenticated).status_code in (200, 404)
            assert case.call(headers={"Authorization": "Token unknown"}).status_code == 401
            counts.add("API, positive, with a login", accepted=True)
            counts.add("API, positive, with a login", accepted=False)

        attempt()


TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["\x00", "💩", "x" * 10_000, "é", "' OR 1=1 --", "-1", "1e999", "9" * 5000, "nan", "2026-02-30"]),
    st.binary(max_size=10),
)
NAMES = st.one_of(
    st.sampled_from(["strategy", "limit", "sector", "search", "sort_by", "order", "date", "format", "limit[]", ""]),
    st.text(max_size=5),
)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["accept", "authorization", "cookie", "if-none-match", "if-modified-since", "accept-language", "host"]
    ),
    st.one_of(
        st.sampled_from(
            ["text/html", "*/*;q=x", "Token a b", "Token \x00", 'sessionid="aaaaaaaaa\\000b"', "W/,", "evil.example"]
        ),
        st.text(string.printable.replace("\n", "").replace("\r", ""), max_size=30),
    ),
    max_size=2,
)
METHODS = st.sampled_from(["GET"] * 6 + ["HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE"])


def queries() -> st.SearchStrategy[str]:
    pairs = st.lists(st.tuples(NAMES, TEXTS), max_size=4).map(urlencode_bytes)
    return st.one_of(pairs, st.binary(max_size=40).map(quote), st.just("&".join(f"p{n}=1" for n in range(1100))))


def urlencode_bytes(pairs: list[tuple[str, str | bytes]]) -> str:
    return urlencode([(name.encode("utf-8", "replace"), _bytes(value)) for name, value in pairs])


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "replace")


def test_any_request_gets_a_response(database, counts: Counts):
    client = Client(raise_request_exception=False, enforce_csrf_checks=True)

    @examples(0.2)
    @given(METHODS, st.sampled_from(URLS), queries(), HEADERS, st.binary(max_size=30))
    def attempt(method: str, url: str, query: str, headers: dict[str, str], body: bytes) -> None:
        response = client.generic(method, f"{url}?{query}", body, "application/json", headers=headers)
        counts.add(f"API, any request, {database}", accepted=response.status_code == 200)
        assert response.status_code < 500
        if method == "HEAD":
            assert response.content == b""
        elif response.status_code >= 400 and "json" in response["Content-Type"]:
            content = response.json()
            assert content["success"] is False
            assert set(content["error"]) == {"code", "message"}
        elif response.status_code >= 400:
            assert "html" in headers.get("accept", "") or "format=api" in query or "text/" in str(headers)

    attempt()


@pytest.mark.parametrize("address", ["/", "/admin/", "/admin/login/", "/api/schema/", "/api/docs/", "/favicon.ico"])
def test_pages_survive_any_request(address, db, counts: Counts):
    client = Client(raise_request_exception=False)

    @examples(0.2)
    @given(queries(), HEADERS)
    def attempt(query: str, headers: dict[str, str]) -> None:
        response = client.get(f"{address}?{query}", headers=headers)
        counts.add(f"pages, {address}", accepted=response.status_code == 200)
        assert response.status_code < 500

    attempt()
