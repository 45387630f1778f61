"""The API's description: a summary for each operation, choices in words, and an example that is one."""

import re
from typing import Any

import pytest
from django.core.cache import cache

from stocks.api.examples import PICKS_ANSWER
from tests.published import pick, publish

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def schema(django_db_setup, django_db_blocker) -> dict[str, Any]:
    from drf_spectacular.generators import SchemaGenerator

    with django_db_blocker.unblock():
        described: dict[str, Any] = SchemaGenerator().get_schema(public=True)
    return described


def descriptions(part: Any) -> list[str]:
    if isinstance(part, list):
        return [text for each in part for text in descriptions(each)]
    if not isinstance(part, dict):
        return []
    own = [part["description"]] if isinstance(part.get("description"), str) else []
    return own + [text for each in part.values() for text in descriptions(each)]


def test_every_operation_has_a_summary_and_no_description_that_repeats_it(schema):
    operations = [
        operation for methods in schema["paths"].values() for operation in methods.values() if "responses" in operation
    ]
    assert operations
    for operation in operations:
        assert operation["summary"], operation["operationId"]
        assert operation.get("description", "").rstrip(".") != operation["summary"]


def test_no_choice_is_described_by_its_own_value(schema):
    choices = [match for text in descriptions(schema) for match in re.findall(r"^\* `(.*)` - (.*)$", text, re.M)]
    assert choices
    assert [value for value, words in choices if value == words or words == value.upper()] == []


def test_the_example_has_the_keys_of_an_answer(client, schema):
    cache.clear()
    left = dict(PICKS_ANSWER["departures"][0])
    publish("balanced", [pick("A")], departures=[left])
    body = client.get("/api/suggested-stocks/").json()
    assert body.keys() == PICKS_ANSWER.keys()
    [shown], [answered] = PICKS_ANSWER["stocks"], body["stocks"]
    assert shown.keys() == answered.keys()
    for group in ("technical_indicators", "fundamentals", "trading_signals"):
        assert shown[group].keys() == answered[group].keys()
    examples = schema["paths"]["/api/suggested-stocks/"]["get"]["responses"]["200"]["content"]["application/json"]
    assert PICKS_ANSWER in [example["value"] for example in examples["examples"].values()]
