r"""Refuses requests that carry NUL: PostgreSQL knows no such letter, so looking it up would break the answer.

A cookie may hold one in quotes (`"a\000b"`), an address or a parameter as `%00`. The API names the parameter itself.
"""

from collections.abc import Callable

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponseBase

Answer = Callable[[HttpRequest], HttpResponseBase]


def without_nul(get_response: Answer) -> Answer:
    """Answer 400 where address, cookies, credentials or (on pages) parameters hold NUL."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        texts = [request.path, request.META.get("HTTP_AUTHORIZATION", ""), *request.COOKIES.values()]
        if not request.path.startswith("/api/"):
            texts.append(request.META.get("QUERY_STRING", "").replace("%00", "\0"))
        if any("\0" in text for text in texts):
            raise SuspiciousOperation("The request holds a NUL; leave it out.")
        return get_response(request)

    return answer
