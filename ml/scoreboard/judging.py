"""Judges the published lists of which the outcome is known by a session, from stored lists and bars.

A pure function of what is stored: judged twice, the same lists have the same outcomes. Point in time: nothing after
the session is read.
"""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from django.db.models import Exists, OuterRef

from brokers.charges import ChargesError
from market_data.calendar_sources import OPEN
from market_data.models import MarketDay
from market_data.storage import queries
from market_data.trading_calendar import IST, sessions_between
from ml import datasets
from ml.costs import plain_charges_pct
from ml.learning.labels import EXIT_DELAY
from ml.models import PickOutcome
from ml.scoreboard.judgement import Bars, UniverseReturn
from stocks.models import Publication
from stocks.picks.selection_queries import share_symbols, tradable_symbols
from stocks.universe.symbols import successors


def due_lists(as_of: date) -> list[Publication]:
    """The stored lists with picks whose exit is due by a session, by session: one version of each.

    That version is the one in force, and stays it: a list that was judged is never judged by another version.
    """
    listed = Publication.objects.filter(date__lte=as_of, count__gt=0).order_by("date", "strategy")
    first = listed.values_list("date", flat=True).first()
    sessions = sessions_between(first, as_of) if first else []
    if len(sessions) <= EXIT_DELAY:
        return []
    of_list = PickOutcome.objects.filter(date=OuterRef("date"), strategy=OuterRef("strategy"))
    known = listed.filter(date__lte=sessions[-1 - EXIT_DELAY]).annotate(
        is_list_judged=Exists(of_list), is_judged=Exists(of_list.filter(publication_version=OuterRef("version")))
    )
    return [
        publication
        for publication in known
        if publication.is_judged or (publication.superseded_at is None and not publication.is_list_judged)
    ]


def outcomes(as_of: date) -> list[PickOutcome]:
    """Unsaved outcomes of all due picks that are known, in the order of the lists and of their ranks."""
    publications = due_lists(as_of)
    if not publications:
        return []
    renamed = successors(as_of)
    start = publications[0].date
    symbols = {renamed.get(pick["symbol"], pick["symbol"]) for listed in publications for pick in listed.picks}
    adjusted = queries.adjusted_bars(as_of, start, sorted(symbols | set(share_symbols())))
    bars = Bars(adjusted, datasets.market_sessions(start, as_of), datasets.blocked_dates(as_of))
    openings = _openings(start, as_of)
    universes: dict[date, UniverseReturn | None] = {}
    results: list[PickOutcome] = []
    for publication in publications:
        if publication.date not in universes:
            universes[publication.date] = bars.universe_return(publication.date, tradable_symbols(publication.date))
        universe = universes[publication.date]
        if universe is not None:
            results += _list_outcomes(publication, bars, universe, renamed, openings, as_of)
    return results


def _list_outcomes(
    publication: Publication,
    bars: Bars,
    universe: UniverseReturn,
    renamed: dict[str, str],
    openings: dict[date, datetime],
    as_of: date,
) -> Iterator[PickOutcome]:
    for pick in publication.picks:
        symbol = renamed.get(pick["symbol"], pick["symbol"])
        judgement = bars.judgement(publication.date, symbol, pick.get("target_price"), pick.get("stop_loss"))
        if judgement is None:
            continue
        facts = vars(judgement) | {"result": judgement.result.value}
        facts["first_touched"] = judgement.first_touched.value if judgement.first_touched else None
        yield PickOutcome(
            date=publication.date,
            strategy=publication.strategy,
            symbol=pick["symbol"],
            publication_version=publication.version,
            head_hash=publication.head_hash,
            published_at=publication.published_at,
            is_late=publication.published_at >= openings[judgement.entry_date],
            model_id=publication.model_id,
            rank=pick.get("rank"),
            recommendation=pick.get("recommendation"),
            target_price=pick.get("target_price"),
            stop_loss=pick.get("stop_loss"),
            as_of=as_of,
            **facts,
            **_comparisons(judgement.return_pct, judgement.entry_date, universe),
        )


def _openings(first: date, last: date) -> dict[date, datetime]:
    """When each session of a range opened."""
    special = dict(MarketDay.objects.filter(date__range=(first, last)).values_list("date", "open"))
    days = sessions_between(first, last)
    return {day: datetime.combine(day, special.get(day) or OPEN, IST) for day in days}


def _comparisons(return_pct: float | None, entry_date: date, universe: UniverseReturn) -> dict[str, Any]:
    """Excess and charges; None what is not known. No series of an index is stored, so nothing is compared with one."""
    facts: dict[str, Any] = {"universe_return_pct": universe.mean_pct, "universe_shares": universe.shares}
    if return_pct is None or universe.mean_pct is None:
        return facts
    excess_pct = return_pct - universe.mean_pct
    facts["excess_pct"] = excess_pct
    try:
        charges_pct = plain_charges_pct(entry_date)
    except ChargesError:  # before the first known rate
        return facts
    return facts | {"charges_pct": charges_pct, "net_excess_pct": excess_pct - charges_pct}
