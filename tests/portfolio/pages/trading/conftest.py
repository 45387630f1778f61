"""A person at ten on a market day, with a paper account."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.core.cache import cache
from django.test import Client

if TYPE_CHECKING:
    from portfolio.models import TradingAccount, User


@pytest.fixture
def ten_o_clock(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    from tests.orders import AT

    cache.clear()
    monkeypatch.setattr("django.utils.timezone.now", lambda: AT)


@pytest.fixture
def asha(client: Client, db: None) -> "User":
    from portfolio.models import User

    user = User.objects.create_user("asha")
    client.force_login(user)
    return user


@pytest.fixture
def account(asha: "User") -> "TradingAccount":
    from tests.accounts import paper_account

    return paper_account(asha, "First steps")


@pytest.fixture
def html_of(client: Client) -> Callable[[str], str]:
    """The page at an address, which is kept out of every cache."""

    def html(address: str) -> str:
        response = client.get(address)
        assert response.status_code == 200, address
        assert response["Cache-Control"] == "no-store, private"
        return response.content.decode()

    return html
