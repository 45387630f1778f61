"""The API against its own description: no request breaks it, and each answer is one that the description declares."""

import string
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import schemathesis
from django.core.cache import cache
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.authtoken.models import Token
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.schemas import BaseSchema

from tests.examples import examples
from tests.fuzz.counts import Counts
from tests.published import pick, publish
from tradingsite.wsgi import application

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(3600)]
URL = "/api/suggested-stocks/"
EMPTY, FILLED = "empty", "filled"


@pytest.fixture(params=[EMPTY, FILLED])
def database(request: pytest.FixtureRequest, db: None) -> str:
    cache.clear()
    if request.param == FILLED:
        publish("balanced", [pick(f"S{n}", sector="Information Technology") for n in range(30)])
        publish("growth", [pick("M&M", market_cap=None, pe_ratio=float("nan"), stock_name=None, sector=None)])
        publish("value", [], reason="Validation failed.")
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
    schema = schemathesis.openapi.from_wsgi("/api/schema/", application, headers={"accept": "application/json"})
    found = described(schema)
    assert [operation.label for operation in found] == [f"GET {URL}"]
    return found


def described(schema: BaseSchema) -> list[Any]:
    """Operations of the description but operators' (their tests are by hand), none of which it describes wrongly."""
    results = list(schema.get_all_operations())
    found = [result.ok() for result in results if isinstance(result, Ok)]
    assert len(found) == len(results)
    return [operation for operation in found if "/admin/" not in operation.label]


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_answers_are_those_of_the_description(operations, database, mode, counts: Counts):
    # An empty parameter means its default here, which the description cannot say.
    excluded: list[Any] = [schemathesis.checks.CHECKS.get_one("negative_data_rejection")]
    for operation in operations:

        @examples(0.2)
        @given(operation.as_strategy(mode))
        def tried(case: schemathesis.Case) -> None:
            response = case.call_and_validate(excluded_checks=excluded)
            counts.add(f"API, {mode.value}, {database}", taken=response.status_code == 200)

        tried()


@pytest.mark.usefixtures("_one_transaction")
def test_a_login_is_asked_for_as_described(settings, django_user_model, counts: Counts, database):
    """In production: without a token 401, with one the answer; the description says so by its security."""
    settings.READING_NEEDS_LOGIN = True
    token = Token.objects.create(user=django_user_model.objects.create_user("asha"))
    known = {"Authorization": f"Token {token.key}"}
    schema = schemathesis.openapi.from_wsgi("/api/schema/?format=json", application, headers=known)
    (operation,) = described(schema)

    @examples(0.2)
    @given(operation.as_strategy(GenerationMode.POSITIVE))
    def tried(case: schemathesis.Case) -> None:
        assert case.call_and_validate(headers=known).status_code == 200
        assert case.call(headers={"Authorization": "Token unknown"}).status_code == 401
        counts.add("API, positive, with a login", taken=True)
        counts.add("API, positive, with a login", taken=False)

    tried()


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


def test_requests_of_any_kind_get_an_answer(database, counts: Counts):
    client = Client(raise_request_exception=False, enforce_csrf_checks=True)

    @examples(0.2)
    @given(METHODS, queries(), HEADERS, st.binary(max_size=30))
    def tried(method: str, query: str, headers: dict[str, str], body: bytes) -> None:
        response = client.generic(method, f"{URL}?{query}", body, "application/json", headers=headers)
        counts.add(f"API, any request, {database}", taken=response.status_code == 200)
        assert response.status_code < 500
        if method == "HEAD":
            assert response.content == b""
        elif response.status_code >= 400 and "json" in response["Content-Type"]:
            content = response.json()
            assert content["success"] is False
            assert set(content["error"]) == {"code", "message"}
        elif response.status_code >= 400:
            assert "html" in headers.get("accept", "") or "format=api" in query or "text/" in str(headers)

    tried()


@pytest.mark.parametrize("address", ["/", "/admin/", "/admin/login/", "/api/schema/", "/api/docs/", "/favicon.ico"])
def test_pages_answer_any_request(address, db, counts: Counts):
    client = Client(raise_request_exception=False)

    @examples(0.2)
    @given(queries(), HEADERS)
    def tried(query: str, headers: dict[str, str]) -> None:
        response = client.get(f"{address}?{query}", headers=headers)
        counts.add(f"pages, {address}", taken=response.status_code == 200)
        assert response.status_code < 500

    tried()
