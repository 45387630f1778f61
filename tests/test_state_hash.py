"""The hash of a state ignores who wrote a row and when, and no digit of its contents."""

from datetime import UTC, date, datetime

import pytest

from market_data.models import MarketDay
from stocks.models import Publication, Stock
from tests.state_hash import MARKET_TABLES, contract_hash, differences

pytestmark = pytest.mark.django_db
DAY = date(2026, 4, 30)


def changed(before: dict[str, str]) -> list[str]:
    return differences(contract_hash(), before)


def test_every_table_has_a_hash_and_reading_changes_none() -> None:
    hashes = contract_hash()
    assert set(hashes) == set(MARKET_TABLES)
    assert changed(hashes) == []


def test_every_digit_counts_and_the_writing_run_does_not() -> None:
    Stock.objects.create(symbol="ACME", current_price=0.1 + 0.2, run_id="pipeline_1")
    before = contract_hash()
    Stock.objects.update(run_id="pipeline_2", created_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert changed(before) == []
    Stock.objects.update(current_price=0.3)
    assert changed(before) == ["stocks"]


def test_the_order_of_writing_does_not_count_and_an_extra_row_does() -> None:
    days = [MarketDay(date=date(2026, 4, day), kind="normal", is_session=True, source="test") for day in (1, 2)]
    MarketDay.objects.bulk_create(days)
    before = contract_hash(["market_days"])
    MarketDay.objects.all().delete()
    MarketDay.objects.bulk_create(reversed(days))
    assert contract_hash(["market_days"]) == before
    MarketDay.objects.create(date=DAY, kind="normal", is_session=True, source="test")
    assert differences(contract_hash(["market_days"]), before) == ["market_days"]


def test_a_superseded_publication_differs_from_one_in_force() -> None:
    publication = Publication.objects.create(
        date=DAY, strategy="value", version=1, published_at=datetime(2026, 4, 30, tzinfo=UTC), run_id="a", count=0
    )
    before = contract_hash()
    publication.published_at = datetime(2026, 5, 1, tzinfo=UTC)
    publication.save()
    assert changed(before) == []
    publication.superseded_at = datetime(2026, 5, 1, tzinfo=UTC)
    publication.save()
    assert changed(before) == ["publications"]


def test_a_table_on_one_side_only_is_a_difference() -> None:
    assert differences({"stocks": "a"}, {"stocks": "a", "findings": "b"}) == ["findings"]
