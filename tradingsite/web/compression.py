"""Compression of pages and JSON.

Django's middleware adds a random number of bytes to each answer, so that its length does not tell what a page holds
beside the text that a stranger put into it (BREACH). What is large and streamed, such as a table's export, is left as
it is: it goes to a file, and the reader waits for its first block.
"""

from typing import Final

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware

_COMPRESSED: Final = ("text/html", "application/json", "application/vnd.oai.openapi")


class CompressionMiddleware(GZipMiddleware):
    """Compresses HTML and JSON for clients that accept it."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if response.streaming or not response.get("Content-Type", "").startswith(_COMPRESSED):
            return response
        compressed: HttpResponseBase = super().process_response(request, response)
        return compressed
