"""Who is behind a request, for the audit: set in the transaction of each write, and gone with it.

Nothing stays on the connection, so that no request is recorded under the name of the one before it. Reading costs
nothing: the person is looked up when a statement writes.
"""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from django.db import connection, transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse

from tradingsite.audit.acts import record_act
from tradingsite.web.client_address import client_address

_WRITES = ("INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "COPY", "TRUNCATE")
_SET = "SELECT " + ", ".join(
    f"set_config('audit.{name}', %({name})s, true)"
    for name in ("channel", "actor", "actor_id", "address", "path", "token")
)
_KEPT_PATH = 300

Execute = Callable[[Any, Any, bool, dict[str, Any]], Any]


def name_person(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: whatever the request writes is recorded as its person's act; so is a file that it is given."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        with connection.execute_wrapper(_Attribution(request)):
            response = get_response(request)
            if response.get("Content-Disposition", "").startswith("attachment") and request.user.is_authenticated:
                record_act("export", details={"file": response["Content-Disposition"]})
        return response

    return middleware


class _Attribution:
    """Wraps the execution of a request's statements: a write is preceded by who makes it."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self._at_work = False

    def __call__(self, execute: Execute, sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        # Looking the person up may itself write to the session.
        if self._at_work or not _is_write(sql):
            return execute(sql, params, many, context)
        self._at_work = True
        try:
            # A statement on its own gets a transaction, which is all that the setting lasts for.
            with nullcontext() if connection.in_atomic_block else transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute(_SET, person_behind(self._request))
                return execute(sql, params, many, context)
        finally:
            self._at_work = False


def _is_write(sql: Any) -> bool:
    return not isinstance(sql, str) or sql.lstrip().upper().startswith(_WRITES)


def person_behind(request: HttpRequest) -> dict[str, str]:
    """Return what the audit records of a request: of a token only its beginning, of the address no parameters."""
    user, token = request.user, getattr(request, "auth", None)
    return {
        "channel": _channel(request),
        "actor": user.get_username(),
        "actor_id": str(user.pk or ""),
        "address": client_address(request),
        "path": f"{request.method} {request.path}"[:_KEPT_PATH],
        "token": f"{token.prefix}…" if token is not None else "",
    }


def _channel(request: HttpRequest) -> str:
    if hasattr(request, "auth"):  # set by the REST framework, whatever the login
        return "api"
    return "admin" if request.path.startswith(reverse("admin:index")) else "page"
