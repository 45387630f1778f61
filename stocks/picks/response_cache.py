"""The response cache: whole API responses about the picks, as bytes in this process.

A response depends on its parameters, the publication in force and the latest listed session. The last two are read from
the database at each request, by one small prepared query, and form the key together with the parameters: a new
publication is visible at once and a superseded one never, whichever process published it. A failure on this fast path
is no error: the request then takes the regular one.

Kept as they are sent: compressed once for clients that accept it. Compressing them at each request would cost ten times
the rest; and as they hold nothing of the requester, their length gives nothing away.
"""

import gzip
import hashlib
from collections.abc import Set
from datetime import date
from typing import Any, Final
from weakref import WeakSet

import psycopg
from django.conf import settings
from django.core.cache.backends.locmem import LocMemCache
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.gzip import re_accepts_gzip
from django.utils.cache import get_conditional_response, patch_vary_headers

from stocks.models import Publication
from stocks.picks.queries import LATEST_LISTED
from stocks.picks.screening import DEFAULT_STRATEGY

CACHED_PARAMETERS: Final[Set[str]] = frozenset({"strategy", "limit", "sort_by", "order"})
"""Only requests with no other parameters are cached: these have few values. Free text would evict the others."""

_ACCEPTED: Final = frozenset({"*/*", "application/json"})
_CONDITIONS: Final = ("HTTP_IF_NONE_MATCH", "HTTP_IF_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE")
_MAX_RESPONSES: Final = 200  # of about 45 kB
_responses: Final = LocMemCache("picks_responses", {"TIMEOUT": 24 * 3600, "OPTIONS": {"MAX_ENTRIES": _MAX_RESPONSES}})

_STATEMENT: Final = b"picks_cache_version"
_VERSION_QUERY: Final = (
    f"SELECT concat_ws(' ', id, run_id, {LATEST_LISTED}) FROM publications"
    " WHERE strategy = $1 AND superseded_at IS NULL ORDER BY date DESC LIMIT 1"
).encode()
_prepared: "Final[WeakSet[psycopg.Connection[Any]]]" = WeakSet()


def cache_version(publication: Publication, latest: date | None) -> str:
    """Version of the data behind a response: of the publication in force and of the latest listed session.

    Every publication has its own id and run, whether lists are published again or restored.
    """
    return " ".join(str(part) for part in (publication.pk, publication.run_id, latest) if part is not None)


def cached_response(request: HttpRequest) -> HttpResponseBase | None:
    """Cached response to a request, or 304 when the client has it already; None when it has to be computed.

    The caller checks whether the requester may read it.
    """
    if not _is_cacheable(request):
        return None
    version = _current_version(request.GET.get("strategy", "").lower() or DEFAULT_STRATEGY)
    stored = _responses.get(_key(request, version)) if version else None
    if stored is None:
        return None
    content, headers = stored
    response = HttpResponse(content, headers=headers)
    if not any(name in request.META for name in _CONDITIONS):
        return response
    return get_conditional_response(request, etag=headers["ETag"], response=response)


def store(request: HttpRequest, version: str, response: HttpResponseBase) -> None:
    """Cache a response computed from data of a `cache_version`, if its request is cacheable."""
    if _is_cacheable(request) and isinstance(response, HttpResponse) and response.status_code == 200:
        sent = _compressed(response) if _accepts_gzip(request) else response
        _responses.set(_key(request, version), (sent.content, dict(sent.headers)))


def _is_cacheable(request: HttpRequest) -> bool:
    return (
        request.method == "GET"
        and request.META.get("HTTP_ACCEPT", "*/*") in _ACCEPTED
        and request.GET.keys() <= CACHED_PARAMETERS
    )


def _key(request: HttpRequest, version: str) -> str:
    deployment = (connection.settings_dict["NAME"], settings.PROVIDER_KIND, settings.READING_NEEDS_LOGIN)
    # All values of the cached parameters count in any case.
    query = request.META.get("QUERY_STRING", "").lower()
    return hashlib.sha256(repr((deployment, version, _accepts_gzip(request), query)).encode()).hexdigest()


def _accepts_gzip(request: HttpRequest) -> bool:
    return re_accepts_gzip.search(request.META.get("HTTP_ACCEPT_ENCODING", "")) is not None


def _compressed(response: HttpResponse) -> HttpResponse:
    compressed = HttpResponse(gzip.compress(response.content), headers=response.headers)
    compressed["Content-Encoding"] = "gzip"
    patch_vary_headers(compressed, ("Accept-Encoding",))
    return compressed


def _current_version(strategy: str) -> str | None:
    """`cache_version` of now, over this thread's open connection; None without one, or when it is broken.

    Prepared and straight through libpq: a twentieth of the processor time of a query through Django's cursor, which
    would be most of the cost of a cached response. The regular path opens a connection where there is none.
    """
    opened: psycopg.Connection[Any] | None = connection.connection
    if opened is None:
        return None
    server = opened.pgconn
    try:
        if opened not in _prepared:
            if server.prepare(_STATEMENT, _VERSION_QUERY).status != psycopg.pq.ExecStatus.COMMAND_OK:
                return None
            _prepared.add(opened)
        row = server.exec_prepared(_STATEMENT, [strategy.encode()])
    except psycopg.Error:
        return None
    value = row.get_value(0, 0) if row.status == psycopg.pq.ExecStatus.TUPLES_OK and row.ntuples else None
    return value.decode() if value else None
