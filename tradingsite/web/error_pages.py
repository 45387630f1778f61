"""Error answers outside any view: JSON under `/api/`, a plain page elsewhere."""

from django.http import HttpRequest, HttpResponse
from django.views import defaults

from stocks.error_responses import json_error


def _wants_json(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that the framework refused to read (400)."""
    if _wants_json(request):
        return json_error(400, "The request cannot be read.")
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that may not be made (403)."""
    if _wants_json(request):
        return json_error(403, "You may not do this.")
    return defaults.permission_denied(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request for an address that does not exist (404)."""
    if _wants_json(request):
        return json_error(404, f"There is nothing at {request.path}.")
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a request that broke the server (500); the log has the reason."""
    if _wants_json(request):
        return json_error(500, "The server broke while answering; the reason is in its log.")
    return defaults.server_error(request)
