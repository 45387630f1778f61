"""The web pages, each a thin layer over its queries."""

import logging
from dataclasses import asdict
from datetime import date
from typing import Any, Final
from urllib.parse import urlencode

from django.conf import settings
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from market_data.trading_calendar import CalendarError
from ml.champions.queries import champion
from ml.evening_facts import kept_out
from ml.model_card.queries import list_report, model_card
from ml.scoreboard import queries as scoreboard_queries
from ml.scoreboard.figures import INTERVAL_NEEDS_SESSIONS
from portfolio.backtest.queries import records as backtest_records
from portfolio.backtest.queries import span_of
from portfolio.pages import (
    evening_status,
    fundamentals_table,
    history_queries,
    market_queries,
    pick_reasons,
    picks_page,
    share_facts,
    stock_queries,
)
from portfolio.pages.access import json_view, page_view
from portfolio.pages.figures import breadth
from portfolio.pages.figures.cumulative import cumulative
from portfolio.pages.figures.sector_map import TALL, WIDE, scale, sector_map
from portfolio.pages.model_page import page_context
from stocks.error_responses import json_error
from stocks.models import Publication
from stocks.picks import queries as pick_queries
from stocks.picks import screening
from stocks.picks.change_queries import changes_of
from stocks.picks.filters import FiltersInvalid

logger = logging.getLogger(__name__)
_SHORT_LIST_LENGTH: Final = 5
_ACTIVE_SECONDS, _IDLE_SECONDS = 2, 20


@page_view
def dashboard(request: HttpRequest) -> HttpResponse:
    newest = pick_queries.newest_publications()
    market = market_queries.latest_market()
    lists = [_short_list(name, newest.get(name)) for name in screening.STRATEGIES]
    picked = sorted({pick["symbol"] for short_list in lists for pick in short_list["picks"]})
    context = _state_of_the_picks(newest) | {
        "market": market,
        "lists": lists,
        "movers": market_queries.movers(market.frame, picked, market.horizons[0].column) if market else None,
        "highs_sessions": market_queries.HIGHS_SESSIONS,
        "picks_shown": len(picked),
    }
    return render_page(request, "portfolio/dashboard.html", context)


@page_view
def picks(request: HttpRequest) -> HttpResponse:
    """The latest list of a strategy, filtered and sorted, with the reasons for each pick."""
    strategy = _strategy_or_404(request.GET.get("strategy", screening.DEFAULT_STRATEGY))
    order, matches, filters = _asked_picks(request, strategy)
    newest, report = pick_queries.newest_publications(), list_report(champion())
    publication = newest.get(strategy)
    published = pick_queries.published_picks(publication) if publication else []
    shown = picks_page.explained_picks(publication, matches.picks)
    worth_buying = [pick for pick in shown if picks_page.is_worth_buying(pick)]
    address = {"strategy": strategy, **filters}
    context = _state_of_the_picks(newest) | {
        "strategy": strategy,
        "label": screening.STRATEGIES[strategy].label,
        "tabs": [{"name": name, "publication": newest.get(name)} for name in screening.STRATEGIES],
        "publication": publication,
        "worth_buying": worth_buying,
        "others": [pick for pick in shown if not picks_page.is_worth_buying(pick)],
        "worth_buying_count": sum(map(picks_page.is_worth_buying, published)),
        "is_asked": bool(filters["sector"] or filters["search"]) or not order.is_published,
        "headings": picks_page.headings(order, address),
        "matches": matches,
        "sectors": sorted({pick["sector"] for pick in published if pick["sector"]}),
        "sorts": [(name, sort.label) for name, sort in picks_page.SORTS.items()],
        "query": {**filters, "sort": order.name},
        "file": urlencode({key: value for key, value in address.items() if value}),
        "kept_out": len(kept_out(publication.date)) if publication else 0,
        "changes": changes_of(publication) if publication else None,
        "keep_rank": settings.PICKS_KEEP_RANK,
        "score": scoreboard_queries.scoreboard()[strategy],
        "list_figures": report.rows.get(strategy) if report else None,
        "picks_shown": len(published),
    }
    return render_page(request, "portfolio/picks.html", context)


@page_view
def picks_file(request: HttpRequest) -> HttpResponse:
    """The list that the page with the same parameters shows, as a CSV file."""
    strategy = _strategy_or_404(request.GET.get("strategy", screening.DEFAULT_STRATEGY))
    _, matches, _ = _asked_picks(request, strategy)
    session = matches.publication.date if matches.publication else "none"
    name = f'attachment; filename="picks_{strategy}_{session}.csv"'
    lines = "".join(picks_page.csv_lines(matches.picks))
    return HttpResponse(lines, content_type="text/csv; charset=utf-8", headers={"Content-Disposition": name})


@json_view
def picks_state(request: HttpRequest) -> HttpResponse:
    """The state of the picks as JSON, with the part of the page that shows it."""
    context = _state_of_the_picks(pick_queries.newest_publications())
    evening = context["evening"]
    body = {
        "success": True,
        "active": evening.is_active,
        "again_in_seconds": context["again_in_seconds"],
        "published": context["published"],
        "state": evening.picks.state,
        "sentence": evening.picks.sentence,
        "session": evening.picks.session,
        "stages": [asdict(stage) | {"progress": round(stage.progress, 4)} for stage in evening.stages],
        "html": render_to_string("portfolio/state.html", context, request=request),
    }
    return JsonResponse(body, headers={"Cache-Control": "no-store"})


@page_view
def stocks(request: HttpRequest) -> HttpResponse:
    """Search by symbol, name or sector; a complete symbol redirects to its page."""
    search, sector = request.GET.get("q", "")[:100].strip(), request.GET.get("sector", "")[:100]
    sort = request.GET.get("sort", "")
    matches = stock_queries.matching_stocks(search, sector, sort) if search or sector else []
    if search and not sector:
        exact = [stock.symbol for stock in matches if stock.symbol == search.upper()]
        target = exact[0] if exact else stock_queries.current_symbol(search.upper())
        if target:
            return HttpResponseRedirect(reverse("portfolio:stock", args=[target]))
    context = {
        "search": search,
        "sector": sector,
        "sort": sort,
        "page": Paginator(matches, stock_queries.STOCKS_A_PAGE).get_page(request.GET.get("page")),
        "query": urlencode({name: value for name, value in (("q", search), ("sector", sector)) if value}),
    }
    return render_page(request, "portfolio/stocks.html", context)


@page_view
def stock(request: HttpRequest, symbol: str) -> HttpResponse:
    profile = stock_queries.profile(symbol)
    if profile is None:
        return _redirect_to_current_symbol(symbol)
    last = profile.stock.last_seen or timezone.localdate()
    recent = stock_queries.bars_with_indicators(symbol, *stock_queries.checked_range("", "", last))
    exclusion = stock_queries.exclusion(symbol)
    context = {
        "stock": profile.stock,
        "exclusion": exclusion,
        "standings": share_facts.list_standings(symbol, is_kept_out=exclusion is not None),
        "year": share_facts.year_range(recent),
        "quarters": share_facts.quarters(profile.symbols, last),
        "earlier": profile.earlier,
        "groups": fundamentals_table.groups(profile.stock),
        "picks": stock_queries.past_picks(profile, last.replace(year=last.year - 5, day=min(last.day, 28)), last)[:40],
        "recent": recent.tail(20).iloc[::-1].astype(object).where(recent.notna(), None).to_dict("records"),
        "day_change": stock_queries.last_change_pct(recent),
        "last": last,
        "longest_years": stock_queries.LONGEST_YEARS,
    }
    return render_page(request, "portfolio/stock.html", context)


@json_view
def stock_bars(request: HttpRequest, symbol: str) -> HttpResponse:
    """A stock's bars and indicators of a range of dates, column by column, with its past picks."""
    profile = stock_queries.profile(symbol) or stock_queries.profile(stock_queries.current_symbol(symbol) or "")
    if profile is None:
        return json_error(404, f"There is no stock {symbol[:50]!r}.")
    latest = profile.stock.last_seen or timezone.localdate()
    try:
        first, last = stock_queries.checked_range(request.GET.get("from", ""), request.GET.get("to", ""), latest)
    except stock_queries.RangeRefused as error:
        return json_error(400, str(error))
    body = {
        "success": True,
        "symbol": profile.stock.symbol,
        "from": first,
        "to": last,
        "scale": "rupees of the latest session: adjusted for splits and bonuses",
        "bars": stock_queries.as_columns(stock_queries.bars_with_indicators(profile.stock.symbol, first, last)),
        "picks": stock_queries.past_picks(profile, first, last),
    }
    return JsonResponse(body, headers={"Cache-Control": "no-cache, private"})


@page_view
def sectors(request: HttpRequest) -> HttpResponse:
    """Performance and breadth of the sectors as a tree map and as a table."""
    market = market_queries.latest_market()
    context: dict[str, Any] = {"market": market}
    if market is None:
        context |= _state_of_the_picks(pick_queries.newest_publications())
    else:
        keys = [horizon.key for horizon in market.horizons]
        index = keys.index(request.GET["span"]) if request.GET.get("span") in keys else 0
        horizon = market.horizons[index]
        columns = [horizon.column for horizon in market.horizons]
        by_size = breadth.sectors(market.frame, columns)
        context |= {
            "sectors": by_size,
            "horizon": horizon,
            "maps": [
                (name, size, sector_map(by_size, index, horizon.sessions, size))
                for name, size in (("wide", WIDE), ("tall", TALL))
            ],
            "scale": scale(horizon.sessions),
            "market_moves": [breadth.moves(market.frame[column]) for column in columns],
        }
    return render_page(request, "portfolio/sectors.html", context)


@page_view
def history(request: HttpRequest) -> HttpResponse:
    """Past lists and what came of their picks."""
    strategy = request.GET.get("strategy", "")
    if strategy:
        _strategy_or_404(strategy)
    dates = Paginator(history_queries.publication_dates(strategy), history_queries.DATES_A_PAGE)
    page = dates.get_page(request.GET.get("page"))
    lists = history_queries.past_lists(list(page), strategy)
    context = {
        "strategy": strategy,
        "strategies": screening.STRATEGIES,
        "page": page,
        "lists": lists,
        "is_judged": any(past.figures for past in lists),
    }
    return render_page(request, "portfolio/history.html", context)


@page_view
def past_list(request: HttpRequest, day: date, strategy: str) -> HttpResponse:
    publication = pick_queries.publication_in_force(_strategy_or_404(strategy), day)
    if publication is None:
        raise Http404(f"No {strategy} list was published for the session of {day}.")
    context = {
        "publication": publication,
        "results": history_queries.list_outcomes(publication),
        "changes": changes_of(publication),
    }
    return render_page(request, "portfolio/past_list.html", context)


@page_view
def scoreboard(request: HttpRequest) -> HttpResponse:
    """What came of the published picks, by list and model."""
    waiting = scoreboard_queries.waiting()
    lists = scoreboard_queries.scoreboard()
    scores = [
        {
            "score": score,
            "label": screening.STRATEGIES[name].label,
            "waiting": waiting[name],
            "picture": cumulative([(point.date, point.cumulative_pct) for point in score.curve]),
        }
        for name, score in lists.items()
    ]
    context = {
        "scores": scores,
        "is_judged": any(score.figures.outcomes for score in lists.values()),
        "interval_needs": INTERVAL_NEEDS_SESSIONS,
        "models_shown": scoreboard_queries.MODELS_SHOWN,
    }
    return render_page(request, "portfolio/scoreboard.html", context)


@page_view
def models(request: HttpRequest) -> HttpResponse:
    """The model card: what picks, what it would have earned, and its limits."""
    return render_page(request, "portfolio/models.html", page_context(model_card()))


@page_view
def strategies(request: HttpRequest) -> HttpResponse:
    """Thresholds and score formula of each strategy, and what its list would have earned."""
    report = list_report(champion())
    figures, records = report.rows if report else {}, backtest_records()
    try:
        filters, error = pick_reasons.filters(), ""
    except FiltersInvalid as invalid:
        # The sentence names the file: it is for operators.
        logger.warning("the thresholds of the strategies cannot be read", extra={"reason": str(invalid)})
        filters, error = None, "The thresholds cannot be read at the moment."
    rules = [
        {
            "name": name,
            "rule": rule,
            "parts": [(part, weight) for part, (weight, _) in rule.parts.items()],
            "required": [screening.figure_name(column) for column in rule.required],
            "bounds": pick_reasons.bounds({"strategy": name}, filters) if filters else [],
            "figures": figures.get(name),
            "record": records.get(name),
            "span": span_of(name),
        }
        for name, rule in screening.STRATEGIES.items()
    ]
    shared = {"limit": screening.MAX_PICKS, "keep_rank": settings.PICKS_KEEP_RANK, "has_figures": bool(figures)}
    context = {"rules": rules, "error": error, **shared}
    return render_page(request, "portfolio/strategies.html", context)


@page_view
def status(request: HttpRequest) -> HttpResponse:
    context = _state_of_the_picks(pick_queries.newest_publications())
    context["sentences"] = evening_status.evening_sentences(timezone.now(), context["evening"])
    return render_page(request, "portfolio/status.html", context)


@page_view
def exclusions(request: HttpRequest, day: date) -> HttpResponse:
    """The shares that findings keep out of a session's picks: every number of them links here."""
    try:
        entries = evening_status.public_exclusions(day)
    except CalendarError as error:
        raise Http404(f"The trading calendar does not know {day}.") from error
    return render_page(request, "portfolio/exclusions.html", {"session": day, "entries": entries})


def render_page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """A page with what every page shows."""
    shared = {
        # Whoever may read without a log-in is at a developer's machine.
        "shows_how_to_start": not settings.READING_NEEDS_LOGIN,
    }
    return render(request, template, context | shared)


def _strategy_or_404(name: str) -> str:
    if name not in screening.STRATEGIES:
        raise Http404(f"There is no strategy {name[:50]!r}. Strategies: {', '.join(screening.STRATEGIES)}.")
    return name


def _redirect_to_current_symbol(symbol: str) -> HttpResponse:
    """Redirect from an old or lower-case symbol."""
    upper = symbol.upper()
    target = stock_queries.current_symbol(upper)
    if target is None and upper != symbol and stock_queries.profile(upper):
        target = upper
    if target is None:
        raise Http404(f"There is no stock {symbol[:50]!r}: none of the exchange's files read so far contains it.")
    return HttpResponseRedirect(reverse("portfolio:stock", args=[target]))


def _state_of_the_picks(newest: dict[str, Publication]) -> dict[str, Any]:
    """Context of the auto-refreshing part of a page: the state of the picks, and which publications are the newest."""
    state = evening_status.evening_state(timezone.now(), newest)
    return {
        "evening": state,
        "again_in_seconds": _ACTIVE_SECONDS if state.is_active else _IDLE_SECONDS,
        "published": "-".join(pick_queries.publication_key(newest[name])[:8] for name in sorted(newest)),
    }


def _asked_picks(request: HttpRequest, strategy: str) -> tuple[picks_page.Order, pick_queries.PickList, dict[str, str]]:
    """The order, the matching picks and the filters that an address asks for."""
    order = picks_page.order(request.GET.get("sort", ""), request.GET.get("order", ""))
    sector, search = request.GET.get("sector", "")[:100], request.GET.get("search", "")[:100].strip()
    matches = pick_queries.pick_list(
        strategy, sector=sector, search=search, sort_by=order.column, descending=order.descending
    )
    return order, matches, {"sector": sector, "search": search}


def _short_list(name: str, publication: Publication | None) -> dict[str, Any]:
    picks = pick_queries.published_picks(publication) if publication else []
    return {
        "name": name,
        "label": screening.STRATEGIES[name].label,
        "publication": publication,
        "picks": picks,
        "first": picks[:_SHORT_LIST_LENGTH],
    }
