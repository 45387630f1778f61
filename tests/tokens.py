"""API tokens of tests."""

from django.utils import timezone

from portfolio.models import Scope, User
from portfolio.tokens import make_token


def token_key(user: User, *scopes: str, name: str = "of a test", days: int = 30) -> str:
    """The key of a new token of a person; without scopes it has all of them."""
    _, key = make_token(user, name, scopes=scopes or Scope.values, days=days, now=timezone.now())
    return key
