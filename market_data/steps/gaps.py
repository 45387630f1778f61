"""FILL_GAPS: bars that a share lacks, from a broker's history; provisional, and never across an event.

A broker's history may be adjusted for events, and ours are prices as published: so nothing is taken where an event, or
a jump that none explains, lies between a gap and today, or where the history contradicts the stored bars beside it.
"""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import pandas as pd
from django.conf import settings

from brokers.protocol import Adjustment
from market_data import trading_calendar
from market_data.models import DailyBar
from market_data.prices import adjustments
from market_data.prices.bars import BAR_COLUMNS, PROVISIONAL, as_bar_frame, checked_bars, joined_rejects
from market_data.providers import HistoryProvider, RawHistory, provider
from market_data.runs.saga import StepContext, StepFailed
from market_data.storage import queries
from market_data.storage import writer as market_writer

NEIGHBOUR_TOLERANCE = 0.01
"""How far a broker's close may lie from the stored one of the same day."""


class FilledGaps(NamedTuple):
    """Bars to store (bar frame with source), the rows set aside, and how many days stay without a bar by symbol."""

    bars: pd.DataFrame
    rejects: pd.DataFrame
    left: dict[str, int]


class Gap(NamedTuple):
    """Sessions without a bar of a share, ascending, and its stored bars nearest to them: session, series, close (₹)."""

    symbol: str
    days: list[date]
    beside: pd.DataFrame


def read_gaps(context: StepContext) -> FilledGaps:
    """Return the bars that the symbols of the run's options lack from one day to another.

    Raises StepFailed when the provider has no history, or a gap lies across an event; ProviderError.
    """
    options, today = context.run.options, context.now.astimezone(trading_calendar.IST).date()
    first, last = date.fromisoformat(options["first"]), min(date.fromisoformat(options["last"]), today)
    feed = provider(settings.QUOTES_PROVIDER or context.run.provider)
    if not isinstance(feed, HistoryProvider):
        raise StepFailed(f"{feed.name} has no history: set QUOTES_PROVIDER to fyers or zerodha.")
    parts, rejected, left = [], [], {}
    for symbol in options["symbols"]:
        gap = gap_of(symbol, first, last)
        if not gap.days:
            continue
        span = [*gap.days, *gap.beside["date"].dt.date]
        history = feed.history(symbol, min(span), max(span), context.now)
        if history.adjusted != Adjustment.RAW:
            _refuse_events(gap, today)
            _refuse_contradiction(gap, history)
        bars, rejects = checked_bars(_rows_of(gap, history))
        parts.append(bars.assign(source=f"{feed.name}:history ({history.adjusted})"))
        rejected.append(rejects.assign(source=f"{feed.name}:history"))
        left[symbol] = len(gap.days) - len(bars)
        context.log("gap read", symbol=symbol, days=len(gap.days), bars=len(bars))
    bars = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*BAR_COLUMNS, "source"])
    return FilledGaps(bars, joined_rejects(*rejected), left)


def record_gaps(context: StepContext, filled: FilledGaps) -> int:
    """Store the bars as provisional: the exchange's file of such a session replaces them."""
    run, bars = context.run, filled.bars
    context.summarise(bars=len(bars), still_without=filled.left or "none", rejected=len(filled.rejects))
    market_writer.record_rejected(filled.rejects, run.id)
    if bars.empty:
        return 0
    as_of = max(queries.latest_session() or date.min, bars["date"].max().date())
    plain = as_bar_frame(bars)
    events = queries.events_frame(as_of, only_factors=True)
    adj_close = adjustments.adj_close(adjustments.adjusted(plain, events, as_of))
    source = bars.sort_values(["symbol", "date"])["source"].to_numpy()
    stored = plain.assign(adj_close=adj_close.to_numpy(), source=source, status=PROVISIONAL)
    return market_writer.record_imported_bars(stored, run.id).total


def gap_of(symbol: str, first: date, last: date) -> Gap:
    """Return the sessions of the calendar after a share's first bar without one of it, and the final bars beside."""
    bars = DailyBar.objects.filter(symbol__symbol=symbol)
    begin = bars.order_by("date").values_list("date", flat=True).first()
    if begin is None:
        raise StepFailed(f"{symbol} has no bar at all, so it has no gap: check the symbol, or import its history.")
    stored = set(bars.filter(date__range=(first, last)).values_list("date", flat=True))
    sessions = trading_calendar.sessions_between(max(first, begin), last) if max(first, begin) <= last else []
    days = [day for day in sessions if day not in stored]
    beside: list[tuple[date, str, float | None]] = []
    if days:
        final = bars.filter(status=DailyBar.Status.FINAL).values_list("date", "series", "close")
        before = final.filter(date__lt=days[0]).order_by("-date").first()
        after = final.filter(date__gt=days[-1]).order_by("date").first()
        beside = [row for row in (before, after) if row is not None]
    return Gap(
        symbol, days, pd.DataFrame(beside, columns=["date", "series", "close"]).astype({"date": "datetime64[ns]"})
    )


def _refuse_events(gap: Gap, today: date) -> None:
    """Refuse a gap with an event, or an unexplained jump, between its first day and today."""
    first = pd.Timestamp(gap.days[0])
    events = queries.events_frame(today)
    own = events.loc[events["symbol"].eq(gap.symbol) & events["status"].ne("rejected")]
    own = own.loc[own["ex_date"].gt(first) & own["ex_date"].le(pd.Timestamp(today))]
    jumps = queries.unsettled_jumps(today, events)
    jumps = jumps.loc[jumps["symbol"].eq(gap.symbol) & jumps["date"].gt(first)]
    words = [f"{row['kind']} of {row['ex_date']:%Y-%m-%d}" for row in own.to_dict("records")]
    words += [f"an unexplained jump on {day:%Y-%m-%d}" for day in jumps["date"]]
    if words:
        raise StepFailed(
            f"The gap of {gap.symbol} from {gap.days[0]} lies before {', '.join(words[:3])}: the broker's history may"
            " be adjusted for it. Put the exchange's files of these days in place instead."
        )


def _refuse_contradiction(gap: Gap, history: RawHistory) -> None:
    """Refuse a history whose closes beside the gap are not the stored ones: it is adjusted for what is not known."""
    both = gap.beside.merge(history.frame[["date", "close"]], on="date", suffixes=("", "_there"))
    for row in both.to_dict("records"):
        if abs(row["close_there"] / row["close"] - 1) > NEIGHBOUR_TOLERANCE:
            raise StepFailed(
                f"The broker's close of {gap.symbol} on {row['date']:%Y-%m-%d} is {row['close_there']:g}, the"
                f" exchange's {row['close']:g}. Its history is adjusted for something that is not known here."
                " Nothing was filled."
            )


def _rows_of(gap: Gap, history: RawHistory) -> pd.DataFrame:
    days: Sequence[pd.Timestamp] = [pd.Timestamp(day) for day in gap.days]
    rows = history.frame.loc[history.frame["date"].isin(days)]
    series = gap.beside["series"].iloc[0] if len(gap.beside) else "EQ"
    return rows.assign(symbol=gap.symbol, series=series).reindex(columns=list(BAR_COLUMNS))
