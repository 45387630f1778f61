"""The response cache: fast while nothing changes, and never different from the regular path."""

from datetime import date

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.db import connection

from stocks.models import Publication, Stock
from stocks.picks import response_cache
from stocks.picks.public_state import day_words
from tests.published import pick, publish, supersede
from tests.tokens import token_key

pytestmark = pytest.mark.django_db
URL = "/api/suggested-stocks/"


@pytest.fixture(autouse=True)
def _empty_caches():
    cache.clear()
    response_cache._responses.clear()


def cached() -> dict[str, bytes]:
    """The entries of the cache; through `vars`, because the type stub lacks the attribute."""
    entries: dict[str, bytes] = vars(response_cache._responses)["_cache"]
    return entries


def symbols(response):
    return [stock["symbol"] for stock in response.json()["stocks"]]


@pytest.mark.parametrize("query", ["", "?strategy=balanced", "?strategy=&limit=1&sort_by=market_cap&order=asc"])
def test_the_second_response_equals_the_first_without_a_query_through_django(client, django_assert_num_queries, query):
    publish("balanced", [pick("A"), pick("B")])
    first = client.get(URL + query)
    with django_assert_num_queries(0):
        second = client.get(URL + query)
    assert second.content == first.content
    for name in ("Content-Type", "ETag", "Cache-Control", "Allow"):
        assert second[name] == first[name], name
    assert "Accept" in second["Vary"]


def test_each_strategy_and_limit_has_its_own_response(client):
    publish("balanced", [pick("A"), pick("B")])
    publish("growth", [pick("C")])
    for _ in range(2):
        assert symbols(client.get(URL)) == ["A", "B"]
        assert symbols(client.get(f"{URL}?limit=1")) == ["A"]
        assert symbols(client.get(f"{URL}?strategy=growth")) == ["C"]


def test_a_new_version_and_a_restored_one_are_visible_at_once(client):
    first = publish("balanced", [pick("FIRST")])
    client.get(URL)
    supersede(first)
    second = publish("balanced", [pick("SECOND")], version=2)
    assert symbols(client.get(URL)) == ["SECOND"]
    assert symbols(client.get(URL)) == ["SECOND"]
    supersede(second)
    Publication.objects.filter(pk=first.pk).update(superseded_at=None)
    assert symbols(client.get(URL)) == ["FIRST"]


def test_a_publication_of_a_later_session_is_visible_at_once(client):
    publish("balanced", [pick("OLD")], session=date(2026, 4, 29))
    client.get(URL)
    publish("balanced", [pick("NEW")])
    assert symbols(client.get(URL)) == ["NEW"]


def test_the_notice_appears_with_the_later_session(client):
    publish("balanced", [pick("OLD")])
    assert client.get(URL).json()["notice"] is None
    for kind, day in (("share", date(2026, 5, 4)), ("fund", date(2026, 5, 5)), ("unknown", date(2026, 5, 6))):
        Stock.objects.create(symbol=kind, kind=kind, last_seen=day)
        assert day_words(day) in client.get(URL).json()["notice"]
        assert day_words(day) in client.get(URL).json()["notice"]


def test_a_client_with_the_current_response_gets_304(client, django_assert_num_queries):
    publish("balanced", [pick("A")])
    etag = client.get(URL)["ETag"]
    with django_assert_num_queries(0):
        again = client.get(URL, headers={"if-none-match": etag})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)
    assert client.get(URL, headers={"if-none-match": '"other"'}).status_code == 200
    assert symbols(client.get(URL)) == ["A"]


def test_anonymous_requests_get_no_cached_response_in_production(client, settings):
    publish("balanced", [pick("A")])
    client.get(URL)
    settings.READING_NEEDS_LOGIN = True
    assert client.get(URL).status_code == 401
    key = token_key(get_user_model().objects.create_user("asha"))
    known = {"authorization": f"Token {key}"}
    for _ in range(2):
        response = client.get(URL, headers=known)
        assert symbols(response) == ["A"]
        assert "private" in response["Cache-Control"]
    assert client.get(URL).status_code == 401
    assert client.get(URL, headers={"authorization": "Token wrong"}).status_code == 401


def test_a_wrong_token_is_rejected_even_where_reading_is_open(client):
    publish("balanced", [pick("A")])
    client.get(URL)
    assert client.get(URL, headers={"authorization": "Token wrong"}).status_code == 401


def test_browsers_still_get_pages_and_wrong_parameters_errors(client):
    publish("balanced", [pick("A")])
    client.get(URL)
    assert client.get(URL, headers={"accept": "text/html"})["Content-Type"].startswith("text/html")
    assert client.get(f"{URL}?format=api").headers["Content-Type"].startswith("text/html")
    assert client.get(f"{URL}?limit=0").status_code == 400
    assert client.get(f"{URL}?strategy=lottery").status_code == 400
    assert client.get(f"{URL}?strategy=%00").status_code == 400
    assert client.post(URL).status_code == 405


@pytest.mark.parametrize("query", ["search=A", "sector=IT", "foo=1", "date=2026-04-30", "limit=0"])
def test_free_texts_and_errors_are_not_cached(client, query):
    publish("balanced", [pick("A")])
    client.get(f"{URL}?{query}")
    assert not cached()


def test_a_list_short_of_rows_is_not_cached(client):
    publication = publish("balanced", [pick("A"), pick("B")])
    Publication.objects.filter(pk=publication.pk).update(count=3)
    client.get(URL)
    assert not cached()


def test_responses_of_simulated_and_real_markets_are_distinct(client, settings):
    publish("balanced", [pick("A")])
    for kind in ("simulated", "real", "simulated"):
        settings.PROVIDER_KIND = kind
        assert client.get(URL).json()["simulated"] is (kind == "simulated")


@pytest.mark.django_db(transaction=True)
def test_without_a_working_connection_the_regular_path_responds(client):
    publish("balanced", [pick("A")])
    client.get(URL)
    connection.close()
    assert response_cache._current_version("balanced") is None
    assert symbols(client.get(URL)) == ["A"]
    connection.connection.close()
    assert response_cache._current_version("balanced") is None
    connection.close()
    assert symbols(client.get(URL)) == ["A"]
