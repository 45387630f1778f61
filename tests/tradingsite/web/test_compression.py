"""What is compressed, and that conditional requests go on working."""

import gzip

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache

from stocks.picks import response_cache
from tests.published import pick, publish

pytestmark = pytest.mark.django_db
URL = "/api/suggested-stocks/"
ACCEPTS = {"accept-encoding": "gzip, deflate, br"}


@pytest.fixture(autouse=True)
def _picks():
    cache.clear()
    response_cache._responses.clear()
    publish("balanced", [pick(f"S{number}") for number in range(50)])


@pytest.mark.parametrize("address", ["/", "/picks/", URL, f"{URL}?search=s", "/api/schema/"])
def test_pages_and_json_are_compressed_for_who_accepts_it(client, address):
    plain, sent = client.get(address), client.get(address, headers=ACCEPTS)
    assert "Content-Encoding" not in plain
    assert sent["Content-Encoding"] == "gzip"
    assert int(sent["Content-Length"]) == len(sent.content) < len(plain.content) / 2
    for response in (plain, sent):
        assert "Accept-Encoding" in response["Vary"]


@pytest.mark.parametrize("address", [URL, f"{URL}?search=s"])
def test_the_picks_are_the_same_compressed_or_not_from_the_cache_or_not(client, address):
    first = client.get(address).content
    for _ in range(2):
        assert gzip.decompress(client.get(address, headers=ACCEPTS).content) == first
        assert client.get(address).content == first


def test_picks_from_the_cache_are_not_compressed_again(client, monkeypatch):
    answers = [client.get(URL, headers=ACCEPTS) for _ in range(2)]
    monkeypatch.setattr("django.middleware.gzip.compress_string", None)
    again = client.get(URL, headers=ACCEPTS)
    assert again.content == answers[1].content
    assert again["ETag"] == answers[0]["ETag"]


@pytest.mark.parametrize("address", [URL, f"{URL}?search=s"])
def test_an_unchanged_answer_is_304_whatever_was_accepted(client, address):
    tags = {client.get(address)["ETag"], *(client.get(address, headers=ACCEPTS)["ETag"] for _ in range(2))}
    [tag] = tags
    for headers in ({}, ACCEPTS):
        again = client.get(address, headers={"if-none-match": tag, **headers})
        assert (again.status_code, again.content) == (304, b"")
        assert "Content-Encoding" not in again or not again.content


def test_a_pages_length_does_not_tell_what_it_holds(client):
    lengths = {len(client.get("/picks/", headers=ACCEPTS).content) for _ in range(12)}
    assert len(lengths) > 1


def test_a_streamed_export_is_sent_as_it_is(client):
    client.force_login(get_user_model().objects.create_superuser("asha"))
    exported = client.get("/admin/stocks/publication/export/", headers=ACCEPTS)
    assert exported.status_code == 200
    assert "Content-Encoding" not in exported
    assert b"balanced" in b"".join(exported.streaming_content)
