"""The small market, stored once a module; each test's changes to it are rolled back."""

from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker


@pytest.fixture(scope="module")
def stored(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The market in the tables, and gone from them when the module is done."""
    from django.db import connection

    from tests.end_to_end.evenings import EVERYTHING
    from tests.market_data.quality.stored_market import stored_market

    with django_db_blocker.unblock():
        stored_market()
        yield
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {', '.join(EVERYTHING)} CASCADE")


@pytest.fixture(autouse=True)
def market(stored: None, db: None) -> None:
    """Every test of this folder has the market and may change it."""
