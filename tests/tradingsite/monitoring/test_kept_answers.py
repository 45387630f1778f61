"""Whoever asks again within a second costs nothing."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tradingsite.monitoring import kept_answers
from tradingsite.monitoring.kept_answers import Kept


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/readyz", "/metrics"])
def test_a_hundred_requests_ask_the_database_once(
    client: Client, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_answers, "KEPT_SECONDS", 600.0)
    first = client.get(address).content
    with CaptureQueriesContext(connection) as queries:
        answers = {client.get(address, headers={"host": f"stranger{number}"}).content for number in range(100)}
    assert len(queries) == 0
    if address == "/readyz":
        assert answers == {first}
        names = ("data,database", "database,data", "database,data,data")
        assert len({client.get(f"/readyz?only={only}").content for only in names}) == 1


def test_threads_that_ask_at_once_share_one_computation() -> None:
    computed: list[str] = []

    def compute(question: str) -> int:
        time.sleep(0.2)
        computed.append(question)
        return len(computed)

    kept = Kept(compute)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: kept("a"), range(8)))
    assert (answers, computed) == ([1] * 8, ["a"])
    assert kept("b") == 2
    kept.forget()
    assert kept("a") == 3


def test_an_answer_expires_and_an_error_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = iter([1, 2])
    kept = Kept(lambda: next(outcomes))
    assert (kept(), kept()) == (1, 1)
    monkeypatch.setattr(kept_answers, "KEPT_SECONDS", 0.0)
    assert kept() == 2
    with pytest.raises(StopIteration):
        kept()
