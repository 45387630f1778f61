"""The small market, stored once a module.

Our modules are imported inside the fixtures: this file is read before Django has its settings.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker


@pytest.fixture(scope="module")
def stored(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The market of `stored_evening`; emptied when the module is done."""
    from django.db import connection

    from tests.end_to_end.evenings import EVERYTHING
    from tests.ml.pick_history import stored_evening

    with django_db_blocker.unblock():
        stored_evening.market()
        yield
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {', '.join(EVERYTHING)} CASCADE")


@pytest.fixture
def market(stored: None, db: None, settings: Any) -> None:
    """The stored market, which a test may change, and thresholds that many of its forty shares pass."""
    from tests.ml.pick_history.stored_evening import LENIENT

    settings.SCREENING_OVERRIDES = LENIENT
