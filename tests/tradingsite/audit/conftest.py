"""The audit's entries since a test began."""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def entries(request: pytest.FixtureRequest) -> Callable[..., list[Any]]:
    """Return the entries added since this fixture was set up, oldest first, that match filters."""
    request.getfixturevalue("transactional_db" if "transactional_db" in request.fixturenames else "db")
    from tradingsite.models import AuditEntry

    last = AuditEntry.objects.values_list("id", flat=True).first() or 0
    return lambda **filters: list(AuditEntry.objects.filter(id__gt=last, **filters).order_by("id"))


@pytest.fixture
def asha(db: None) -> Any:
    """A superuser."""
    from django.contrib.auth import get_user_model

    return get_user_model().objects.create_superuser("asha", password="the-password-of-asha")
