"""Who may read the pages: everybody in development, those who are logged in in production."""

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
    """Return whether who asks may read what is published."""
    return request.user.is_authenticated or not settings.READING_NEEDS_LOGIN


def page(view: View) -> View:
    """Guard a page: others are sent to the login, and what it shows is kept by nobody else."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not may_read(request):
            return redirect_to_login(request.get_full_path())
        response = view(request, *args, **kwargs)
        response["Cache-Control"] = "no-cache, private"
        return response

    return cast("View", require_safe(guarded))


def data(view: View) -> View:
    """Guard an address that answers with JSON: others are refused with 401."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not may_read(request):
            return json_error(401, "Log in to read this.")
        return view(request, *args, **kwargs)

    return cast("View", require_safe(guarded))
