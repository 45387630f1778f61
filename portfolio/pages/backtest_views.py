"""Pages of backtests: one's own, a new one, its progress and result, and two side by side."""

from typing import Any, Final, cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portfolio.backtest import job, queries, writer
from portfolio.backtest.parameters import BacktestError
from portfolio.models import Backtest, User
from portfolio.pages import backtest_page
from portfolio.pages.access import person_json_view, person_view
from portfolio.pages.backtest_form import BacktestForm
from portfolio.pages.views import render_page
from stocks.picks import screening

_ACTIVE_SECONDS: Final = 2


@require_http_methods(["GET", "HEAD", "POST"])
@person_view
def backtests(request: HttpRequest) -> HttpResponse:
    """One's own backtests, and the form that starts one."""
    form = BacktestForm(request.POST or None, initial=_initial(request))
    if request.method == "POST" and form.is_valid():
        try:
            return _redirect(job.start(_person(request), form.terms))
        except writer.TooManyWaiting as refusal:
            form.add_error(None, str(refusal))
    own = list(queries.newest(_person(request)))
    context = {
        "form": form,
        "own": own,
        "shown": queries.SHOWN,
        "completed": [each for each in own if each.status == Backtest.Status.COMPLETED],
        "records": queries.records(),
    }
    return render_page(request, "portfolio/backtests.html", context)


@require_safe
@person_view
def backtest(request: HttpRequest, key: int) -> HttpResponse:
    """Its progress, or its result."""
    shown = _visible(request, key)
    context = _state_context(request, shown)
    if shown.status == Backtest.Status.COMPLETED:
        context |= backtest_page.page_context(shown)
    return render_page(request, "portfolio/backtest.html", context)


@require_safe
@person_json_view
def backtest_state(request: HttpRequest, key: int) -> HttpResponse:
    """The state of a backtest as JSON, with the part of the page that shows it."""
    shown = _visible(request, key)
    context = _state_context(request, shown)
    body = {
        "success": True,
        "status": shown.status,
        "progress": round(shown.progress, 4),
        "published": context["published"],
        "again_in_seconds": _ACTIVE_SECONDS,
        "html": render_to_string("portfolio/backtest_state.html", context, request=request),
    }
    return JsonResponse(body, headers={"Cache-Control": "no-store"})


@require_POST
@person_view
def cancel_backtest(request: HttpRequest, key: int) -> HttpResponse:
    shown = _own(request, key)
    if not writer.cancel(shown, request.user.get_username()):
        messages.info(request, "It had ended before it could be cancelled.")
    return _redirect(shown)


@require_POST
@person_view
def repeat_backtest(request: HttpRequest, key: int) -> HttpResponse:
    """Compute the same parameters again, by the data and the champion of today."""
    shown = _own(request, key)
    try:
        return _redirect(job.start(_person(request), job.stored_parameters(shown), again=True))
    except (writer.TooManyWaiting, BacktestError) as refusal:
        messages.error(request, str(refusal))
        return _redirect(shown)


@require_safe
@person_view
def backtest_trades(request: HttpRequest, key: int) -> HttpResponse:
    """The trades as a CSV file."""
    shown = _completed(request, key)
    name = f'attachment; filename="backtest_{shown.pk}_{shown.strategy}_trades.csv"'
    lines = "".join(backtest_page.trades_csv(shown.content or {}))
    return HttpResponse(lines, content_type="text/csv; charset=utf-8", headers={"Content-Disposition": name})


@require_safe
@person_view
def compare_backtests(request: HttpRequest) -> HttpResponse:
    """Two completed backtests side by side: `?a=1&b=2`."""
    keys = [request.GET.get(name, "") for name in ("a", "b")]
    if not all(key.isdecimal() and len(key) < 19 for key in keys):
        raise Http404("Name two backtests by their numbers: /backtests/compare/?a=1&b=2.")
    first, second = (_completed(request, int(key)) for key in keys)
    context = {"first": first, "second": second, **backtest_page.comparison(first, second)}
    return render_page(request, "portfolio/backtest_comparison.html", context)


def _person(request: HttpRequest) -> User:
    return cast("User", request.user)


def _redirect(shown: Backtest) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("portfolio:backtest", args=[shown.pk]))


def _visible(request: HttpRequest, key: int) -> Backtest:
    shown = queries.visible_to(_person(request)).select_related("owner").filter(pk=key).first()
    if shown is None:
        raise Http404(f"There is no backtest {key} that you may see.")
    return shown


def _completed(request: HttpRequest, key: int) -> Backtest:
    shown = _visible(request, key)
    if shown.status != Backtest.Status.COMPLETED:
        raise Http404(f"Backtest {key} has no result: it is {shown.get_status_display().lower()}.")
    return shown


def _own(request: HttpRequest, key: int) -> Backtest:
    shown = Backtest.objects.filter(owner=_person(request), pk=key).defer("content").first()
    if shown is None:
        raise Http404(f"There is no backtest {key} of yours.")
    return shown


def _state_context(request: HttpRequest, shown: Backtest) -> dict[str, Any]:
    return {
        "backtest": shown,
        "is_own": shown.owner_id == request.user.pk,
        "again_in_seconds": _ACTIVE_SECONDS,
        "published": "unfinished" if shown.is_unfinished else shown.status,
        "before": queries.place_in_queue(shown),
    }


def _initial(request: HttpRequest) -> dict[str, Any]:
    return {"strategy": request.GET.get("strategy", screening.DEFAULT_STRATEGY)}
