"""Operators, and a calendar in which the present moment lies; models are imported once the servers are there."""

from datetime import date, timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone


@pytest.fixture(autouse=True)
def _no_memory() -> None:
    cache.clear()


@pytest.fixture
def weekdays(db):
    """Weekdays around the tests' session and around today are sessions that close at 15:30."""
    from market_data.models import MarketDay

    today = timezone.localdate()
    days = {middle + timedelta(days=number) for middle in (date(2026, 4, 30), today) for number in range(-40, 41)}
    MarketDay.objects.bulk_create(
        MarketDay(date=day, kind="normal", is_session=True, close="15:30", source="test")
        for day in sorted(days)
        if day.weekday() < 5
    )


@pytest.fixture
def operator(db):
    from django.contrib.auth import get_user_model

    return get_user_model().objects.create_superuser("operator")
