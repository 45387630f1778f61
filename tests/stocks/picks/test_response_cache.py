"""Kept answers: quick where nothing changed, and never another answer than the long way gives."""

from datetime import date

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.db import connection
from rest_framework.authtoken.models import Token

from stocks.models import Publication, Stock
from stocks.picks import response_cache
from tests.published import pick, publish, supersede

pytestmark = pytest.mark.django_db
URL = "/api/suggested-stocks/"


@pytest.fixture(autouse=True)
def _nothing_kept():
    cache.clear()
    response_cache._responses.clear()


def kept() -> dict[str, bytes]:
    """What lies in the memory; the stub of Django's class leaves its attribute out."""
    found: dict[str, bytes] = vars(response_cache._responses)["_cache"]
    return found


def symbols(response):
    return [stock["symbol"] for stock in response.json()["stocks"]]


@pytest.mark.parametrize("query", ["", "?strategy=balanced", "?strategy=&limit=1&sort_by=market_cap&order=asc"])
def test_the_second_answer_is_the_first_and_asks_djangos_connection_nothing(client, django_assert_num_queries, query):
    publish("balanced", [pick("A"), pick("B")])
    first = client.get(URL + query)
    with django_assert_num_queries(0):
        second = client.get(URL + query)
    assert second.content == first.content
    for name in ("Content-Type", "ETag", "Cache-Control", "Allow"):
        assert second[name] == first[name], name
    assert "Accept" in second["Vary"]


def test_each_strategy_and_each_limit_has_its_own(client):
    publish("balanced", [pick("A"), pick("B")])
    publish("growth", [pick("C")])
    for _ in range(2):
        assert symbols(client.get(URL)) == ["A", "B"]
        assert symbols(client.get(f"{URL}?limit=1")) == ["A"]
        assert symbols(client.get(f"{URL}?strategy=growth")) == ["C"]


def test_a_new_version_is_seen_at_once_and_a_version_put_back_too(client):
    first = publish("balanced", [pick("FIRST")])
    client.get(URL)
    supersede(first)
    second = publish("balanced", [pick("SECOND")], version=2)
    assert symbols(client.get(URL)) == ["SECOND"]
    assert symbols(client.get(URL)) == ["SECOND"]
    supersede(second)
    Publication.objects.filter(pk=first.pk).update(superseded_at=None)
    assert symbols(client.get(URL)) == ["FIRST"]


def test_a_publication_of_a_later_session_is_seen_at_once(client):
    publish("balanced", [pick("OLD")], session=date(2026, 4, 29))
    client.get(URL)
    publish("balanced", [pick("NEW")])
    assert symbols(client.get(URL)) == ["NEW"]


def test_the_notice_comes_with_the_session_that_makes_it_true(client):
    publish("balanced", [pick("OLD")])
    assert client.get(URL).json()["notice"] is None
    for kind, day in (("share", date(2026, 5, 4)), ("fund", date(2026, 5, 5)), ("unknown", date(2026, 5, 6))):
        Stock.objects.create(symbol=kind, kind=kind, last_seen=day)
        assert str(day) in client.get(URL).json()["notice"]
        assert str(day) in client.get(URL).json()["notice"]


def test_a_client_that_has_it_gets_304(client, django_assert_num_queries):
    publish("balanced", [pick("A")])
    etag = client.get(URL)["ETag"]
    with django_assert_num_queries(0):
        again = client.get(URL, headers={"if-none-match": etag})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)
    assert client.get(URL, headers={"if-none-match": '"other"'}).status_code == 200
    assert symbols(client.get(URL)) == ["A"]


def test_nobody_unknown_gets_a_kept_answer_in_production(client, settings):
    publish("balanced", [pick("A")])
    client.get(URL)
    settings.READING_NEEDS_LOGIN = True
    assert client.get(URL).status_code == 401
    token = Token.objects.create(user=get_user_model().objects.create_user("asha"))
    known = {"authorization": f"Token {token.key}"}
    for _ in range(2):
        answer = client.get(URL, headers=known)
        assert symbols(answer) == ["A"]
        assert "private" in answer["Cache-Control"]
    assert client.get(URL).status_code == 401
    assert client.get(URL, headers={"authorization": "Token wrong"}).status_code == 401


def test_a_wrong_token_is_told_so_even_where_anybody_may_read(client):
    publish("balanced", [pick("A")])
    client.get(URL)
    assert client.get(URL, headers={"authorization": "Token wrong"}).status_code == 401


def test_a_browser_still_gets_its_page_and_a_wrong_parameter_its_refusal(client):
    publish("balanced", [pick("A")])
    client.get(URL)
    assert client.get(URL, headers={"accept": "text/html"})["Content-Type"].startswith("text/html")
    assert client.get(f"{URL}?format=api").headers["Content-Type"].startswith("text/html")
    assert client.get(f"{URL}?limit=0").status_code == 400
    assert client.get(f"{URL}?strategy=lottery").status_code == 400
    assert client.get(f"{URL}?strategy=%00").status_code == 400
    assert client.post(URL).status_code == 405


@pytest.mark.parametrize("query", ["search=A", "sector=IT", "foo=1", "date=2026-04-30", "limit=0"])
def test_free_texts_and_refusals_are_not_kept(client, query):
    publish("balanced", [pick("A")])
    client.get(f"{URL}?{query}")
    assert not kept()


def test_a_list_short_of_rows_is_not_kept(client):
    publication = publish("balanced", [pick("A"), pick("B")])
    Publication.objects.filter(pk=publication.pk).update(count=3)
    client.get(URL)
    assert not kept()


def test_the_market_that_an_answer_was_made_for_is_part_of_it(client, settings):
    publish("balanced", [pick("A")])
    for kind in ("simulated", "real", "simulated"):
        settings.PROVIDER_KIND = kind
        assert client.get(URL).json()["simulated"] is (kind == "simulated")


@pytest.mark.django_db(transaction=True)
def test_without_a_connection_or_with_a_broken_one_the_long_way_answers(client):
    publish("balanced", [pick("A")])
    client.get(URL)
    connection.close()
    assert response_cache._current_version("balanced") is None
    assert symbols(client.get(URL)) == ["A"]
    connection.connection.close()
    assert response_cache._current_version("balanced") is None
    connection.close()
    assert symbols(client.get(URL)) == ["A"]
