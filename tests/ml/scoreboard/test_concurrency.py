"""Two runs that record the same outcomes at once leave each outcome once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, transaction

from ml.models import PickOutcome
from ml.scoreboard.writer import record_outcomes
from tests.published import PUBLISHED_AT

pytestmark = pytest.mark.django_db(transaction=True)
DAY = date(2026, 4, 6)


def outcomes() -> list[PickOutcome]:
    facts: dict[str, Any] = {"publication_version": 1, "published_at": PUBLISHED_AT, "is_late": False, "as_of": DAY}
    facts |= {"entry_date": DAY, "result": "not_bought", "universe_shares": 0, "date": DAY, "strategy": "growth"}
    return [PickOutcome(symbol=f"S{number:02d}", **facts) for number in range(30)]


def test_nothing_is_recorded_twice() -> None:
    start = Barrier(4)

    def record(number: int) -> tuple[int, int]:
        try:
            start.wait(20)
            with transaction.atomic():
                return record_outcomes(outcomes(), f"r{number}")
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        recorded = list(pool.map(record, range(4)))
    assert sorted(recorded) == [(0, 0), (0, 0), (0, 0), (30, 0)]
    assert PickOutcome.objects.count() == 30
    assert set(PickOutcome.objects.values_list("version", flat=True)) == {1}
