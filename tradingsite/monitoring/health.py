"""`/healthz` and `/readyz`: for health checks, balancers and whoever watches from outside.

`/healthz` says that this process answers, and touches nothing. `/readyz` says part by part whether the system can be
relied on (503 when not); `?only=database,cache` asks for what serving a page needs: a page should not be taken from its
readers because an evening's data are late.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils import timezone

from tradingsite.monitoring.readiness import PARTS, readiness


def answer_health(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware that answers `/healthz` and `/readyz` before any other looks at the request.

    It comes first because who asks is on this machine: it knows neither the site's name (which ALLOWED_HOSTS would
    demand) nor TLS (to which production redirects). Nothing that it tells is secret.
    """

    def respond(request: HttpRequest) -> HttpResponseBase:
        answer = ADDRESSES.get(request.path_info)
        if answer is None:
            return get_response(request)
        if request.method not in ("GET", "HEAD"):
            return JsonResponse({"status": "only GET is answered here"}, status=405, headers={"Allow": "GET, HEAD"})
        response = answer(request)
        response["Cache-Control"] = "no-store"
        # Asked every few seconds, a part that is not ready would fill the log; the alerts tell of it once.
        response._has_been_logged = True  # type: ignore[attr-defined]
        return response

    return respond


def _alive(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"status": "alive"})


def _ready(request: HttpRequest) -> HttpResponse:
    only = [name for name in request.GET.get("only", "").split(",") if name]
    unknown = sorted(set(only) - set(PARTS))
    if unknown:
        told = f"There is no part {unknown[0][:40]!r}; the parts are {', '.join(PARTS)}."
        return JsonResponse({"status": told}, status=400)
    parts = readiness(timezone.now(), only)
    ready = all(part["ok"] for part in parts.values())
    return JsonResponse({"status": "ready" if ready else "not ready", "parts": parts}, status=200 if ready else 503)


ADDRESSES: dict[str, Callable[[HttpRequest], HttpResponse]] = {"/healthz": _alive, "/readyz": _ready}
