"""The web pages, each a thin layer over the queries that it shows."""

from dataclasses import asdict
from datetime import date
from typing import Any, Final

from django.conf import settings
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from market_data.runs import queries as run_queries
from portfolio.pages import (
    evening_status,
    fundamentals_table,
    history_queries,
    market_queries,
    pick_reasons,
    stock_queries,
)
from portfolio.pages.access import data, page
from portfolio.pages.closes import recent_closes
from portfolio.pages.figures import breadth
from portfolio.pages.figures.outcomes import HELD_SESSIONS, MARKS
from portfolio.pages.figures.sector_map import TALL, WIDE, flat_pct, sector_map
from portfolio.pages.figures.sparkline import sparkline
from stocks.error_responses import json_error
from stocks.models import Publication
from stocks.picks import queries as pick_queries
from stocks.picks import screening
from stocks.picks.filters import FiltersInvalid

# Name in the address → (column, descending, words); rank is the order of publication.
SORTS: Final = {
    "rank": ("rank", False, "Rank"),
    "score": ("ml_prediction_score", True, "Model score, highest first"),
    "confidence": ("ml_confidence", True, "Confidence, highest first"),
    "risk": ("ml_risk_score", False, "Risk, lowest first"),
    "return": ("predicted_return", True, "Expected return, highest first"),
    "cap": ("market_cap", True, "Market cap, largest first"),
    "pe": ("pe_ratio", False, "P/E, lowest first"),
}
_SHORT_LIST: Final = 5
_ACTIVE_SECONDS, _IDLE_SECONDS = 2, 20


@page
def dashboard(request: HttpRequest) -> HttpResponse:
    """Show the market of the latest session, the four lists in short, and the state of the run."""
    newest = pick_queries.newest_publications()
    market = market_queries.latest_market()
    lists = [_short_list(name, newest.get(name)) for name in screening.STRATEGIES]
    picked = sorted({pick["symbol"] for one in lists for pick in one["whole"]})
    first = next(iter(newest.values()), None)
    state = _state(newest)
    context = state | {
        "market": market,
        "lists": lists,
        "movers": market_queries.movers(market.frame, picked, market.horizons[0].column) if market else None,
        "highs_sessions": market_queries.HIGHS_SESSIONS,
        "notice": pick_queries.outdated_notice(first, pick_queries.latest_listed_session()),
        "picks_shown": len(picked),
    }
    return _shown(request, "portfolio/dashboard.html", context)


@page
def picks(request: HttpRequest) -> HttpResponse:
    """Show the newest list of a strategy, filtered and sorted, with why each share was picked."""
    strategy = _strategy(request.GET.get("strategy", screening.DEFAULT_STRATEGY))
    sort = request.GET.get("sort", "rank")
    column, descending, _ = SORTS.get(sort, SORTS["rank"])
    sector, search = request.GET.get("sector", "")[:100], request.GET.get("search", "")[:100].strip()
    newest = pick_queries.newest_publications()
    publication = newest.get(strategy)
    whole = pick_queries.published_picks(publication) if publication else []
    found = pick_queries.pick_list(strategy, sector=sector, search=search, sort_by=column, descending=descending)
    state = _state(newest)
    context = state | {
        "strategy": strategy,
        "label": screening.STRATEGIES[strategy].label,
        "tabs": [{"name": name, "publication": newest.get(name)} for name in screening.STRATEGIES],
        "publication": publication,
        "picks": _explained(publication, found.picks),
        "found": found,
        "whole": len(whole),
        "sectors": sorted({pick["sector"] for pick in whole if pick["sector"]}),
        "sorts": [(name, words) for name, (_, _, words) in SORTS.items()],
        "asked": {"sector": sector, "search": search, "sort": sort},
        "notice": pick_queries.outdated_notice(publication, pick_queries.latest_listed_session()),
        "picks_shown": len(whole),
    }
    return _shown(request, "portfolio/picks.html", context)


@data
def run_state(request: HttpRequest) -> HttpResponse:
    """Answer the state of the run as JSON, with the piece of the page that shows it."""
    state = _state(pick_queries.newest_publications())
    body = {
        "success": True,
        "active": state["active"],
        "again_in_seconds": state["again_in_seconds"],
        "published": state["published"],
        "runs": [asdict(run) | {"progress": round(run.progress, 4)} for run in state["runs"]],
        "html": render_to_string("portfolio/state.html", state),
    }
    return JsonResponse(body, headers={"Cache-Control": "no-store"})


@page
def stocks(request: HttpRequest) -> HttpResponse:
    """Find a stock by symbol, name or sector; a symbol written out in full leads straight to its page."""
    search, sector = request.GET.get("q", "")[:100].strip(), request.GET.get("sector", "")[:100]
    found = stock_queries.found_stocks(search, sector) if search or sector else []
    if search and not sector:
        exact = [stock.symbol for stock in found if stock.symbol == search.upper()]
        target = exact[0] if exact else stock_queries.symbol_in_use(search.upper())
        if target:
            return HttpResponseRedirect(reverse("portfolio:stock", args=[target]))
    context = {"search": search, "sector": sector, "found": found, "most": stock_queries.FOUND_AT_MOST}
    return _shown(request, "portfolio/stocks.html", context)


@page
def stock(request: HttpRequest, symbol: str) -> HttpResponse:
    """Show a stock: chart, figures with their sources, past picks."""
    known = stock_queries.profile(symbol)
    if known is None:
        return _elsewhere(symbol)
    last = known.stock.last_seen or timezone.localdate()
    recent = stock_queries.bars_with_indicators(symbol, *stock_queries.checked_range("", "", last))
    context = {
        "stock": known.stock,
        "earlier": known.earlier,
        "groups": fundamentals_table.groups(known.stock),
        "picks": stock_queries.past_picks(known, last.replace(year=last.year - 5, day=min(last.day, 28)), last)[:40],
        "recent": recent.tail(20).iloc[::-1].astype(object).where(recent.notna(), None).to_dict("records"),
        "day_change": stock_queries.last_change_pct(recent),
        "last": last,
        "longest_years": stock_queries.LONGEST_YEARS,
    }
    return _shown(request, "portfolio/stock.html", context)


@data
def stock_bars(request: HttpRequest, symbol: str) -> HttpResponse:
    """Answer a stock's bars, indicators and past picks of a range of dates, column by column."""
    known = stock_queries.profile(symbol) or stock_queries.profile(stock_queries.symbol_in_use(symbol) or "")
    if known is None:
        return json_error(404, f"There is no stock {symbol[:50]!r}.")
    latest = known.stock.last_seen or timezone.localdate()
    try:
        first, last = stock_queries.checked_range(request.GET.get("from", ""), request.GET.get("to", ""), latest)
    except stock_queries.RangeRefused as error:
        return json_error(400, str(error))
    body = {
        "success": True,
        "symbol": known.stock.symbol,
        "from": first,
        "to": last,
        "scale": "rupees of the latest session: adjusted for splits and bonuses",
        "bars": stock_queries.as_columns(stock_queries.bars_with_indicators(known.stock.symbol, first, last)),
        "picks": stock_queries.past_picks(known, first, last),
    }
    return JsonResponse(body, headers={"Cache-Control": "no-cache, private"})


@page
def sectors(request: HttpRequest) -> HttpResponse:
    """Show performance and breadth of the sectors as a tree map and as a table."""
    market = market_queries.latest_market()
    context: dict[str, Any] = {"market": market}
    if market:
        keys = [one.key for one in market.horizons]
        chosen = keys.index(request.GET.get("span", "1d")) if request.GET.get("span") in keys else 0
        found = breadth.sectors(market.frame, [one.column for one in market.horizons])
        context |= {
            "sectors": found,
            "chosen": market.horizons[chosen],
            "maps": [
                (name, size, sector_map(found, chosen, market.horizons[chosen].sessions, size))
                for name, size in (("wide", WIDE), ("tall", TALL))
            ],
            "flat_pct": flat_pct(market.horizons[chosen].sessions),
            "whole": [breadth.moves(market.frame[one.column]) for one in market.horizons],
        }
    return _shown(request, "portfolio/sectors.html", context)


@page
def history(request: HttpRequest) -> HttpResponse:
    """Show past lists, and how they did since."""
    strategy = request.GET.get("strategy", "")
    if strategy:
        _strategy(strategy)
    shown = Paginator(history_queries.publication_dates(strategy), history_queries.DATES_A_PAGE).get_page(
        request.GET.get("page")
    )
    context = {
        "strategy": strategy,
        "strategies": screening.STRATEGIES,
        "shown": shown,
        "lists": history_queries.past_lists(list(shown), strategy),
        "marks": MARKS,
    }
    return _shown(request, "portfolio/history.html", context)


@page
def past_list(request: HttpRequest, day: date, strategy: str) -> HttpResponse:
    """Show one past list pick by pick."""
    publication = pick_queries.publication_in_force(_strategy(strategy), day)
    if publication is None:
        raise Http404(f"No {strategy} list was published for the session of {day}.")
    followed = history_queries.followed_list(publication)
    summary = list(zip(MARKS, followed.averages, followed.market_medians_pct, strict=True))
    context = {
        "publication": publication,
        "followed": followed,
        "summary": summary,
        "marks": MARKS,
        "held": HELD_SESSIONS,
    }
    return _shown(request, "portfolio/past_list.html", context)


@page
def strategies(request: HttpRequest) -> HttpResponse:
    """Show how each strategy judges: thresholds and the formula of its score."""
    try:
        filters, error = pick_reasons.filters(), ""
    except FiltersInvalid as invalid:
        filters, error = None, str(invalid)
    rules = [
        {
            "name": name,
            "rule": rule,
            "parts": [(part, weight) for part, (weight, _) in rule.parts.items()],
            "required": [screening.figure_name(column) for column in rule.required],
            "bounds": pick_reasons.bounds({"strategy": name}, filters) if filters else [],
        }
        for name, rule in screening.STRATEGIES.items()
    ]
    context = {"rules": rules, "error": error, "limit": screening.MAX_PICKS, "hold_rank": screening.HOLD_RANK}
    return _shown(request, "portfolio/strategies.html", context)


@page
def status(request: HttpRequest) -> HttpResponse:
    """Say in sentences where the evening stands."""
    newest = pick_queries.newest_publications()
    context = _state(newest) | {"evening": evening_status.evening_status(timezone.now())}
    return _shown(request, "portfolio/status.html", context)


def _shown(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    return render(request, template, context | {"simulated": settings.PROVIDER_KIND == "simulated"})


def _strategy(name: str) -> str:
    if name not in screening.STRATEGIES:
        raise Http404(f"There is no strategy {name[:50]!r}. Strategies: {', '.join(screening.STRATEGIES)}.")
    return name


def _elsewhere(symbol: str) -> HttpResponse:
    """Lead from an old or lower-case symbol to the one in use; there is nothing else to show."""
    upper = symbol.upper()
    target = stock_queries.symbol_in_use(upper)
    if target is None and upper != symbol and stock_queries.profile(upper):
        target = upper
    if target is None:
        raise Http404(f"There is no stock {symbol[:50]!r}: no file of the exchange that was read names it.")
    return HttpResponseRedirect(reverse("portfolio:stock", args=[target]))


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
        "published": "-".join(pick_queries.publication_key(newest[name])[:8] for name in sorted(newest)),
    }


def _short_list(name: str, publication: Publication | None) -> dict[str, Any]:
    whole = pick_queries.published_picks(publication) if publication else []
    return {
        "name": name,
        "label": screening.STRATEGIES[name].label,
        "publication": publication,
        "whole": whole,
        "first": whole[:_SHORT_LIST],
    }


def _explained(publication: Publication | None, listed: list[pick_queries.Pick]) -> list[dict[str, Any]]:
    """Return picks in their order, each with its picture, the parts of its score and its thresholds."""
    if publication is None or not listed:
        return []
    closes = recent_closes([pick["symbol"] for pick in listed], publication.date)
    try:
        filters = pick_reasons.filters()
    except FiltersInvalid:
        filters = None
    return [
        pick
        | {
            "spark": sparkline(closes.get(pick["symbol"], ()), pick["target_price"], pick["stop_loss"]),
            "parts": pick_reasons.score_parts(pick),
            "bounds": pick_reasons.bounds(pick, filters) if filters else [],
        }
        for pick in pick_reasons.with_dated_figures(listed, publication.date)
    ]
