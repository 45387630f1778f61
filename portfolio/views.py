"""The web pages: today's picks, and the state of the run."""

from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.http import require_safe

from market_data import run_queries
from portfolio.queries import recent_closes
from portfolio.sparkline import sparkline
from stocks import queries
from stocks.api import json_error
from stocks.models import Publication

DEFAULT_STRATEGY = "balanced"
_ACTIVE_SECONDS, _IDLE_SECONDS = 2, 20


def _may_read(request: HttpRequest) -> bool:
    return request.user.is_authenticated or not settings.READING_NEEDS_LOGIN


@require_safe
def picks(request: HttpRequest) -> HttpResponse:
    """Show the newest list of a strategy and the state of the run."""
    if not _may_read(request):
        return redirect_to_login(request.get_full_path())
    strategy = request.GET.get("strategy", DEFAULT_STRATEGY)
    if strategy not in queries.STRATEGIES:
        raise Http404(f"There is no strategy {strategy[:50]!r}. Strategies: {', '.join(queries.STRATEGIES)}.")
    newest = queries.newest_publications()
    publication = newest.get(strategy)
    state = _state(newest)
    context = state | {
        "strategy": strategy,
        "tabs": [{"name": name, "publication": newest.get(name)} for name in queries.STRATEGIES],
        "publication": publication,
        "picks": _drawn_picks(publication),
        "notice": queries.outdated_notice(publication, queries.latest_listed_session()),
        "simulated": settings.PROVIDER_KIND == "simulated",
    }
    response = render(request, "portfolio/picks.html", context)
    response["Cache-Control"] = "no-cache, private"
    return response


@require_safe
def run_state(request: HttpRequest) -> HttpResponse:
    """Answer the state of the run as JSON, with the piece of the page that shows it."""
    if not _may_read(request):
        return json_error(401, "Log in to see the state of the run.")
    state = _state(queries.newest_publications())
    body = {
        "success": True,
        "active": state["active"],
        "again_in_seconds": state["again_in_seconds"],
        "published": state["published"],
        "runs": [asdict(run) | {"progress": round(run.progress, 4)} for run in state["runs"]],
        "html": render_to_string("portfolio/state.html", state),
    }
    return JsonResponse(body, headers={"Cache-Control": "no-store"})


def _state(newest: dict[str, Publication]) -> dict[str, Any]:
    """Return what the piece of the page about runs shows."""
    active = run_queries.active_runs()
    recent = run_queries.recent_runs()
    shown = active or recent[:1]
    failures = run_queries.unresolved_failures()
    is_active = any(run.status == "running" for run in active)
    return {
        "active": is_active,
        "runs": shown,
        "recent": recent,
        "has_failed": bool(failures),
        "failures": [run for run in failures if run.id not in {other.id for other in shown}],
        "again_in_seconds": _ACTIVE_SECONDS if is_active else _IDLE_SECONDS,
        "published": "-".join(queries.publication_key(newest[name])[:8] for name in sorted(newest)),
    }


def _drawn_picks(publication: Publication | None) -> list[dict[str, Any]]:
    """Return the picks of a list in their order, each with its picture."""
    if publication is None:
        return []
    listed = queries.published_picks(publication)
    closes = recent_closes([pick["symbol"] for pick in listed], publication.date)
    return [
        pick | {"spark": sparkline(closes.get(pick["symbol"], ()), pick["target_price"], pick["stop_loss"])}
        for pick in listed
    ]
