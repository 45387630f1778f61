r"""Rejects requests that hold a NUL: PostgreSQL cannot store it, so a query with one would fail with a server error.

A cookie may hold one in quotes (`"a\000b"`), a path or a parameter as `%00`. The API checks its parameters itself, and
names them.
"""

from collections.abc import Callable

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponseBase

Handler = Callable[[HttpRequest], HttpResponseBase]


def reject_nul_bytes(get_response: Handler) -> Handler:
    """Middleware that answers 400 if path, cookies, credentials or, on pages, parameters hold a NUL."""

    def respond(request: HttpRequest) -> HttpResponseBase:
        texts = [request.path, request.META.get("HTTP_AUTHORIZATION", ""), *request.COOKIES.values()]
        if not request.path.startswith("/api/"):
            texts.append(request.META.get("QUERY_STRING", "").replace("%00", "\0"))
        if any("\0" in text for text in texts):
            raise SuspiciousOperation("The request holds a NUL character; leave it out.")
        return get_response(request)

    return respond
