"""`Authorization: Token …`: the one place where it is decided what an API token may be used for.

A view says which scope a method takes, in `token_scopes`; a view or method that says nothing takes no token. The view's
own permissions come on top: a token may never do more than its person.
"""

from collections.abc import Mapping

from django.utils import timezone
from rest_framework.authentication import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from portfolio.models import ApiToken, User
from portfolio.tokens import note_use, token_of, why_not_in_force

PAPER_ONLY = "An API token trades on paper alone; for a live account, log in."


class ScopedTokenAuthentication(TokenAuthentication):
    """Authenticates the person of a token, where the view takes a scope of it."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        authenticated = super().authenticate(request)
        if authenticated is None:
            return None
        user, token = authenticated
        require_scope(token, request)
        return user, token

    def authenticate_credentials(self, key: str) -> tuple[User, ApiToken]:
        token, now = token_of(key), timezone.now()
        if token is None:
            raise AuthenticationFailed("There is no such API token.")
        if sentence := why_not_in_force(token, now):
            raise AuthenticationFailed(sentence)
        note_use(token, now)
        return token.user, token


def require_scope(token: ApiToken, request: Request) -> None:
    """Raise PermissionDenied unless the token has the scope that the request's view takes for its method."""
    scopes: Mapping[str, str] = getattr(request.parser_context["view"], "token_scopes", {})
    needed = _needed(scopes, request.method or "")
    if not needed:
        raise PermissionDenied("No API token may do this; log in.")
    if not needed & set(token.scopes):
        raise PermissionDenied(
            f"This API token lacks the scope {' or '.join(sorted(needed))}; it has {', '.join(token.scopes)}."
        )


def _needed(scopes: Mapping[str, str], method: str) -> set[str]:
    """Scopes of which one is needed; asking what there is (OPTIONS) takes any that the view knows."""
    if method == "OPTIONS":
        return set(scopes.values())
    return {scopes[name] for name in (method, "GET" if method in SAFE_METHODS else method) if name in scopes}


def is_by_token(request: Request) -> bool:
    """Whether a token, and no session, authenticates a request."""
    return isinstance(request.auth, ApiToken)
