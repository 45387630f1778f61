"""The trading API against its schema: whatever a person sends, the answer is one that the schema declares."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.cache import cache
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import given
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode

from portfolio.models import OrderIntent, TradingAccount, User
from tests.accounts import paper_account
from tests.examples import examples
from tests.fuzz.counts import Counts
from tests.fuzz.test_api import PLAIN
from tests.orders import a_market, deposit
from tests.portfolio.pages.trading.test_pages import filled
from tests.tokens import token_key

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(3600)]
_OURS = re.compile(r"/api/(accounts|orders|plans|differences|alarms|kill-switch)/")


@pytest.fixture
def _one_transaction() -> Iterator[None]:
    """Keep the connection between requests, as the test client does: the test's transaction lives on it."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.usefixtures("_one_transaction")
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_answers_to_a_person_conform_to_the_schema(mode: GenerationMode, counts: Counts, monkeypatch: Any) -> None:
    cache.clear()
    monkeypatch.setattr("portfolio.api.trading_requests.TradingThrottle.rate", "100000/s")
    person = User.objects.create_user("asha")
    account = paper_account(person)
    a_market()
    deposit(account)
    order = filled(account)
    keys = {"accounts": account.pk, "orders": order.pk, "plans": 1, "differences": 1, "alarms": 1}
    headers = {"Authorization": f"Token {token_key(person)}", "accept": "application/json"}
    headers |= PLAIN
    schema = schemathesis.openapi.from_wsgi("/api/schema/?format=json", get_wsgi_application(), headers=headers)
    operations = [each.ok() for each in schema.get_all_operations() if isinstance(each, Ok)]
    # Which fields belong together (a limit and its price) and what the checks refuse, a schema cannot express.
    excluded: list[Any] = [
        schemathesis.checks.CHECKS.get_one(name) for name in ("negative_data_rejection", "positive_data_acceptance")
    ]
    ours = [operation for operation in operations if _OURS.search(operation.label)]
    assert len(ours) >= 12
    for operation in ours:
        if mode is GenerationMode.NEGATIVE and not list(operation.query) and not list(operation.body):
            continue

        @examples(0.1)
        @given(operation.as_strategy(mode))
        def attempt(case: schemathesis.Case) -> None:
            if mode is GenerationMode.POSITIVE and "key" in (case.path_parameters or {}):
                case.path_parameters["key"] = next(key for name, key in keys.items() if f"/{name}/" in case.path)
            response = case.call_and_validate(headers=headers, excluded_checks=excluded)
            counts.add(f"trading API, {mode.value}", accepted=response.status_code == 200)

        attempt()
    # The market is closed now: whatever was sent, the checks let nothing pass.
    assert OrderIntent.objects.count() == 1
    assert TradingAccount.objects.filter(owner=person).count() >= 1
