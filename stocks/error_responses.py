"""The form of every JSON error: `{"success": false, "error": {"code", "message"}}`."""

from typing import Any

from django.http import JsonResponse

_CODES = {
    400: "bad_request",
    401: "not_authenticated",
    403: "permission_denied",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    415: "unsupported_media_type",
    429: "too_many_requests",
    500: "internal_error",
}


def error_body(http_status: int, message: str, code: str | None = None) -> dict[str, Any]:
    """Body of an error response; without `code`, the one of the status."""
    return {"success": False, "error": {"code": code or _CODES.get(http_status, "error"), "message": message}}


def json_error(http_status: int, message: str) -> JsonResponse:
    """Error response from outside the API's own views: pages, unknown addresses, malformed requests."""
    return JsonResponse(error_body(http_status, message), status=http_status)
