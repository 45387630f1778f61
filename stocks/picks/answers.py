"""Whole answers about the picks, kept as bytes in this process.

An answer follows from the parameters, the publication in force and the latest session listed. The last two are asked
from the database at each request, by one small prepared question; they and the parameters are the key under which the
bytes were kept. So a new publication is seen at once and a superseded one never, whichever process published it. What
goes wrong on this short way is no error: the request then goes the long way.
"""

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
from django.utils.cache import get_conditional_response

from stocks.models import Publication
from stocks.picks.queries import LATEST_LISTED
from stocks.picks.screening import DEFAULT_STRATEGY

PARAMETERS: Final[Set[str]] = frozenset({"strategy", "limit", "sort_by", "order"})
"""Requests with these alone are kept: they have few values. Free texts would only push the others out."""

_ACCEPTED: Final = frozenset({"*/*", "application/json"})
_CONDITIONS: Final = ("HTTP_IF_NONE_MATCH", "HTTP_IF_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE")
_KEPT_ANSWERS: Final = 200  # of about 45 kB
_kept: Final = LocMemCache("answers", {"TIMEOUT": 24 * 3600, "OPTIONS": {"MAX_ENTRIES": _KEPT_ANSWERS}})

_STATEMENT: Final = b"picks_basis"
_QUESTION: Final = (
    f"SELECT concat_ws(' ', id, run_id, {LATEST_LISTED}) FROM publications"
    " WHERE strategy = $1 AND superseded_at IS NULL ORDER BY date DESC LIMIT 1"
).encode()
_prepared: "Final[WeakSet[psycopg.Connection[Any]]]" = WeakSet()


def basis_of(publication: Publication, latest: date | None) -> str:
    """Return what an answer that was made of these two follows from, besides its parameters.

    Rows get a new id and a new run's name, whatever is published again or put back.
    """
    return " ".join(str(part) for part in (publication.pk, publication.run_id, latest) if part is not None)


def recalled(request: HttpRequest) -> HttpResponseBase | None:
    """Return the kept answer to a request, or 304 when the client has it; None when it is to be made.

    Whether the request may read is the caller's to decide.
    """
    if not _is_plain(request):
        return None
    basis = _basis_in_force(request.GET.get("strategy") or DEFAULT_STRATEGY)
    found = _kept.get(_key(request, basis)) if basis else None
    if found is None:
        return None
    content, headers = found
    response = HttpResponse(content, headers=headers)
    if not any(name in request.META for name in _CONDITIONS):
        return response
    return get_conditional_response(request, etag=headers["ETag"], response=response)


def keep(request: HttpRequest, basis: str, response: HttpResponseBase) -> None:
    """Keep an answer that was made of `basis`, where the request is one of those that are kept."""
    if _is_plain(request) and isinstance(response, HttpResponse) and response.status_code == 200:
        _kept.set(_key(request, basis), (response.content, dict(response.headers)))


def _is_plain(request: HttpRequest) -> bool:
    return (
        request.method == "GET"
        and request.META.get("HTTP_ACCEPT", "*/*") in _ACCEPTED
        and request.GET.keys() <= PARAMETERS
    )


def _key(request: HttpRequest, basis: str) -> str:
    place = (connection.settings_dict["NAME"], settings.PROVIDER_KIND, settings.READING_NEEDS_LOGIN)
    return hashlib.sha256(repr((place, basis, request.META.get("QUERY_STRING", ""))).encode()).hexdigest()


def _basis_in_force(strategy: str) -> str | None:
    """Ask the database what an answer of now follows from, on this thread's open connection.

    Straight through libpq, prepared: a twentieth of the processor time of a query through Django's cursor, which is
    what most of a kept answer would cost. Without an open connection, or with a broken one, there is no answer; the
    long way opens one.
    """
    opened: psycopg.Connection[Any] | None = connection.connection
    if opened is None:
        return None
    server = opened.pgconn
    try:
        if opened not in _prepared:
            if server.prepare(_STATEMENT, _QUESTION).status != psycopg.pq.ExecStatus.COMMAND_OK:
                return None
            _prepared.add(opened)
        row = server.exec_prepared(_STATEMENT, [strategy.encode()])
    except psycopg.Error:
        return None
    value = row.get_value(0, 0) if row.status == psycopg.pq.ExecStatus.TUPLES_OK and row.ntuples else None
    return value.decode() if value else None
