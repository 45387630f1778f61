"""Error responses outside any view: JSON under `/api/`, a plain page elsewhere, and while debugging Django's own."""

from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString, mark_safe
from django.views import defaults
from django.views.debug import ExceptionReporter

from brokers.redaction import without_secrets, without_values
from stocks.error_responses import json_error


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_api(request):
        return json_error(400, "The request is malformed.")
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_api(request):
        return json_error(403, "Permission denied.")
    return defaults.permission_denied(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_api(request):
        return json_error(404, f"There is nothing at {request.path}.")
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    if _is_api(request):
        return json_error(500, "Internal server error; see the server log.")
    return defaults.server_error(request)


class RedactingReporter(ExceptionReporter):
    """The page of an error while debugging, which shows the variables of each frame: without secrets."""

    def get_traceback_html(self) -> SafeString:
        # By values alone, which tears no markup; Django has escaped the rest.
        return mark_safe(without_values(super().get_traceback_html()))

    def get_traceback_text(self) -> SafeString:
        return mark_safe(without_secrets(super().get_traceback_text()))  # plain text
