"""`/health`: whether the page can be served, for the container's health check and for balancers in front."""

import logging
from collections.abc import Callable

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse

ADDRESS = "/health"

logger = logging.getLogger(__name__)


def answer_health(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware that answers `/health` before any other looks at the request.

    It comes first because who asks is on this machine: it knows neither the site's name (which ALLOWED_HOSTS would
    demand) nor TLS (to which production redirects). It tells nothing but whether the database answers.
    """

    def respond(request: HttpRequest) -> HttpResponseBase:
        return _health() if request.path_info == ADDRESS else get_response(request)

    return respond


def _health() -> HttpResponse:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        logger.exception("the health check found no database")
        return JsonResponse({"status": "the database does not answer"}, status=503)
    return JsonResponse({"status": "ok"})
