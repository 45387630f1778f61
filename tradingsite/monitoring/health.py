"""`/healthz` and `/readyz`: for health checks, load balancers and outside monitoring.

`/healthz` shows that this process answers, and touches nothing else. `/readyz` shows part by part whether the system
can be relied on (503 if not); `?only=database,cache` is what serving pages needs: they should not go offline because
an evening's data are late. An answer is kept for a second: whoever asks more often costs no database work.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils import timezone

from tradingsite.monitoring.kept_answers import Kept
from tradingsite.monitoring.readiness import PARTS, Part, readiness


def answer_health(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware that answers `/healthz` and `/readyz` before any other middleware.

    It comes first because a health check on this machine uses neither the site's name, which ALLOWED_HOSTS would
    require, nor TLS, to which production redirects. The responses hold no secret.
    """

    def respond(request: HttpRequest) -> HttpResponseBase:
        view = VIEWS.get(request.path_info)
        if view is None:
            return get_response(request)
        if request.method not in ("GET", "HEAD"):
            return JsonResponse({"status": "only GET is allowed here"}, status=405, headers={"Allow": "GET, HEAD"})
        response = view(request)
        response["Cache-Control"] = "no-store"
        # Polled every few seconds, a part that is not ready would fill the log; the alerts report it once.
        response._has_been_logged = True  # type: ignore[attr-defined]
        return response

    return respond


def _alive(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"status": "alive"})


@Kept
def present_readiness(only: frozenset[str]) -> dict[str, Part]:
    """The readiness of the requested parts (none: of all), at most a second ago."""
    return readiness(timezone.now(), only)


def _ready(request: HttpRequest) -> HttpResponse:
    only = [name for name in request.GET.get("only", "").split(",") if name]
    unknown = sorted(set(only) - set(PARTS))
    if unknown:
        refusal = f"There is no part {unknown[0][:40]!r}; the parts are {', '.join(PARTS)}."
        return JsonResponse({"status": refusal}, status=400)
    parts = present_readiness(frozenset(only))
    is_ready = all(part["ok"] for part in parts.values())
    status = "ready" if is_ready else "not ready"
    return JsonResponse({"status": status, "parts": parts}, status=200 if is_ready else 503)


VIEWS: dict[str, Callable[[HttpRequest], HttpResponse]] = {"/healthz": _alive, "/readyz": _ready}
