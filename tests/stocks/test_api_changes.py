"""`/api/suggested-stocks/changes/`: what changed in a list, and nothing where there is nothing to compare with."""

from datetime import date

import pytest
from django.core.cache import cache

from tests.published import SESSION, pick, publish

pytestmark = pytest.mark.django_db
URL = "/api/suggested-stocks/changes/"
BEFORE = date(2026, 4, 29)
LEFT = {
    "symbol": "GONE",
    "stock_name": "GONE Limited",
    "last_rank": 2,
    "last_place": 2,
    "listed_since": "2026-04-21",
    "place": 160,
    "reason": "fell to place 160; a share stays down to place 150",
}


@pytest.fixture(autouse=True)
def lists():
    cache.clear()
    earlier = [pick("AAA", selection_score=0.9, score_parts={"prediction": 0.9}), pick("GONE")]
    before = publish("model", earlier, session=BEFORE)
    kept = pick("AAA", standing="kept", selection_score=0.7, score_parts={"prediction": 0.7})
    publish("model", [pick("NEW", selection_score=0.75), kept], previous=before, departures=[LEFT])


def test_entries_departures_and_score_changes(client):
    body = client.get(URL, {"strategy": "model"}).json()
    [change] = body.pop("score_changes")
    assert body == {
        "success": True,
        "strategy": "model",
        "date": "2026-04-30",
        "compared_with": "2026-04-29",
        "entries": [{"symbol": "NEW", "stock_name": "NEW Limited", "rank": 1, "place": 1, "selection_score": 0.75}],
        "departures": [LEFT],
        "warnings": [],
    }
    assert (change["symbol"], change["last_rank"], change["rank"]) == ("AAA", 1, 2)
    assert change["words"] == "Score 0.900 → 0.700 (−0.200): prediction 0.90 → 0.70 (−0.200)."
    assert change["change"] == change["moves"][0]["points"] == pytest.approx(-0.2)


def test_a_past_list_and_one_that_was_compared_with_none(client):
    body = client.get(URL, {"strategy": "model", "date": "2026-04-29"}).json()
    assert (body["date"], body["compared_with"]) == ("2026-04-29", None)
    assert body["entries"] == body["departures"] == body["score_changes"] == []


def test_without_a_list_there_is_no_date(client):
    body = client.get(URL, {"strategy": "value"}).json()
    assert (body["success"], body["date"], body["entries"]) == (True, None, [])


def test_an_unchanged_answer_is_not_sent_again(client):
    etag = client.get(URL)["ETag"]
    assert client.get(URL, HTTP_IF_NONE_MATCH=etag).status_code == 304
    publish("balanced", [pick("AAA")])
    assert client.get(URL, HTTP_IF_NONE_MATCH=etag).status_code == 200


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("strategy=lottery", "growth, value, balanced, momentum, model"),
        ("date=yesterday", "a date such as 2026-04-30"),
        ("date=2026-04-30&date=2026-04-29", "more than once"),
    ],
)
def test_a_wrong_parameter_is_named(client, query, sentence):
    response = client.get(f"{URL}?{query}")
    assert response.status_code == 400
    assert sentence in response.json()["error"]["message"]


def test_the_schema_describes_it(client):
    paths = client.get("/api/schema/?format=json").json()["paths"]
    names = [parameter["name"] for parameter in paths[URL]["get"]["parameters"]]
    assert sorted(set(names) - {"format"}) == ["date", "strategy"]


def test_reading_needs_a_login_in_production(client, settings):
    settings.READING_NEEDS_LOGIN = True
    assert client.get(URL).status_code == 401
    assert SESSION.isoformat() not in client.get(URL).content.decode()
