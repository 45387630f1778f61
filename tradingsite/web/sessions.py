"""Ends log-ins: each after SESSION_HOURS, that of staff after SESSION_IDLE_MINUTES without activity.

A page that refreshes itself says so (`X-Refresh`), which is no activity. A request with a token has no session, and is
no concern of this.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.contrib.sessions.backends.base import UpdateError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

REFRESH_HEADER: Final = "X-Refresh"
_BEGAN, _ACTIVE = "began_at", "active_at"
_WRITTEN_AFTER: Final = 30
"""Seconds: activity is stored no more often, so that reading pages does not write at each."""
_OF_LOGGING_IN: Final = ("/login/", "/logout/")

Respond = Callable[[HttpRequest], HttpResponseBase]


def end_sessions(get_response: Respond) -> Respond:
    """Middleware: log out whoever's time is over, with a sentence for the log-in page."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if settings.SESSION_COOKIE_NAME not in request.COOKIES or not request.user.is_authenticated:
            return get_response(request)
        now = timezone.now()
        sentence = _why_over(request, now)
        if not sentence:
            _note_activity(request, now)
            return get_response(request)
        logout(request)
        if request.path.endswith(_OF_LOGGING_IN):
            return get_response(request)
        messages.warning(request, sentence)
        if request.method == "POST" and not request.path.startswith("/api/"):
            # What was sent cannot be sent again by logging in: back to where the form stood.
            return redirect_to_login(_page_of_form(request))
        return get_response(request)

    return middleware


def _why_over(request: HttpRequest, now: datetime) -> str:
    """Why a log-in is over, as a sentence; empty while it lasts."""
    hours, minutes = settings.SESSION_HOURS, settings.SESSION_IDLE_MINUTES
    if hours and _since(request, _BEGAN, now) >= timedelta(hours=hours):
        return f"You were logged out: a log-in lasts {hours} hour{_s(hours)}."
    if minutes and _is_staff(request) and _since(request, _ACTIVE, now) >= timedelta(minutes=minutes):
        return f"You were logged out after {minutes} minute{_s(minutes)} without activity."
    return ""


def _note_activity(request: HttpRequest, now: datetime) -> None:
    """Store in the session when it was first and last used.

    Stored at once: left to the end of the request, it would make an error of a page that ends one's own session.
    """
    session = request.session
    session.setdefault(_BEGAN, now.timestamp())
    is_due = _ACTIVE not in session or _since(request, _ACTIVE, now).total_seconds() >= _WRITTEN_AFTER
    if is_due and settings.SESSION_IDLE_MINUTES and REFRESH_HEADER not in request.headers:
        session[_ACTIVE] = now.timestamp()
    if session.modified:
        with suppress(UpdateError):  # ended meanwhile: the next request finds nobody logged in
            session.save()
        session.modified = False


def _since(request: HttpRequest, moment: str, now: datetime) -> timedelta:
    return timedelta(seconds=now.timestamp() - request.session.get(moment, now.timestamp()))


def _is_staff(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_staff", False))


def _page_of_form(request: HttpRequest) -> str:
    page = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(page, {request.get_host()}, request.is_secure()):
        return "/"
    parts = urlsplit(page)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _s(count: int) -> str:
    return "" if count == 1 else "s"
