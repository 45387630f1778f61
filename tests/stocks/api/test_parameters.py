"""Parameters in any case, and those that are not known."""

import pytest
from django.core.cache import cache

from stocks.picks import response_cache
from tests.published import pick, publish

pytestmark = pytest.mark.django_db
URL = "/api/suggested-stocks/"


@pytest.fixture(autouse=True)
def _empty_caches():
    cache.clear()
    response_cache._responses.clear()


@pytest.mark.parametrize("address", [URL, f"{URL}changes/", "/api/scoreboard/"])
def test_a_strategy_is_known_in_any_case(client, address):
    publish("growth", [pick("A")])
    publish("balanced", [pick("B")])
    for _ in range(2):
        body = client.get(f"{address}?strategy=Growth").json()
        assert body == client.get(f"{address}?strategy=growth").json()
        assert body != client.get(f"{address}?strategy=balanced").json()


def test_order_and_sort_by_are_known_in_any_case(client):
    publish("balanced", [pick("A", market_cap=1.0), pick("B", market_cap=2.0)])
    for query, expected in (("order=ASC", ["A", "B"]), ("order=Desc", ["B", "A"])):
        body = client.get(f"{URL}?{query}&sort_by=Market_Cap").json()
        assert [stock["symbol"] for stock in body["stocks"]] == expected


def test_spellings_of_one_request_have_one_cached_response(client, django_assert_num_queries):
    publish("growth", [pick("A")])
    first = client.get(f"{URL}?strategy=growth&order=desc")
    with django_assert_num_queries(0):
        assert client.get(f"{URL}?strategy=GROWTH&order=DESC").content == first.content


@pytest.mark.parametrize("address", [URL, f"{URL}changes/", "/api/scoreboard/", "/api/models/"])
def test_parameters_that_are_not_known_are_named(client, address):
    publish("balanced", [pick("A")])
    assert client.get(address).json()["warnings"] == []
    assert client.get(f"{address}?format=json").json()["warnings"] == []
    offset, foo = client.get(f"{address}?offset=5&foo=1").json()["warnings"]
    assert offset.startswith("'offset' is no parameter and was ignored.")
    assert foo.startswith("'foo' is no parameter and was ignored.")


def test_a_warning_names_the_parameters_that_exist(client):
    [warning] = client.get(f"{URL}?page=2").json()["warnings"]
    assert warning.endswith("The parameters are strategy, date, limit, sector, search, sort_by, order.")
    assert "no parameters" in client.get("/api/models/?page=2").json()["warnings"][0]


def test_many_unknown_parameters_are_counted(client):
    query = "&".join(f"{'x' * 200}{number}=1" for number in range(30))
    *named, last = client.get(f"{URL}?{query}").json()["warnings"]
    assert len(named) == 10
    assert all(len(sentence) < 200 for sentence in named)
    assert last == "20 more were ignored."


def test_a_page_for_people_shows_the_warnings_escaped(client):
    html = client.get(f"{URL}?<blink>=1", headers={"accept": "text/html"}).content.decode()
    assert "is no parameter" in html
    assert "<blink>" not in html


def test_the_reason_is_silent_about_a_whole_list(client):
    publish("balanced", [pick(f"S{number}") for number in range(50)])
    publish("growth", [pick(f"S{number}") for number in range(46)])
    assert client.get(f"{URL}?limit=3").json()["reason"] is None
    assert client.get(f"{URL}?search=S4").json()["reason"] is None
    short = client.get(f"{URL}?strategy=growth").json()["reason"]
    assert short == "46 shares met the conditions of the growth strategy; a list holds up to 50."
    assert client.get(f"{URL}?search=zz").json()["reason"] == "No pick of this list matches the search 'zz'."
