"""Read access to the pages: open in development; authenticated users only in production."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from stocks.error_responses import json_error

View = TypeVar("View", bound=Callable[..., HttpResponse])


def may_read(request: HttpRequest) -> bool:
    """Whether the requester may read published data."""
    return request.user.is_authenticated or not settings.READING_NEEDS_LOGIN


def page_view(view: View) -> View:
    """Redirect to the login unless the requester may read, and keep the page out of shared caches."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not may_read(request):
            return redirect_to_login(request.get_full_path())
        response = view(request, *args, **kwargs)
        response["Cache-Control"] = "no-cache, private"
        return response

    return cast("View", require_safe(guarded))


def person_view(view: View) -> View:
    """Redirect to the login unless somebody is logged in, and keep the response out of every cache."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        response = view(request, *args, **kwargs)
        response["Cache-Control"] = "no-store, private"
        return response

    return cast("View", guarded)


def person_json_view(view: View) -> View:
    """Answer 401 as JSON unless somebody is logged in."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            return json_error(401, "Log in to read this.")
        return view(request, *args, **kwargs)

    return cast("View", guarded)


def json_view(view: View) -> View:
    """Answer 401 as JSON unless the requester may read."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not may_read(request):
            return json_error(401, "Log in to read this.")
        return view(request, *args, **kwargs)

    return cast("View", require_safe(guarded))
