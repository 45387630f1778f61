"""What stored findings block: a whole session, or single symbols, each with its reason."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

import pandas as pd

from market_data import trading_calendar
from market_data.models import Finding, MarketDay
from market_data.prices.jumps import JUMP_CHECK, blocked_days, jump_sentence
from market_data.quality.checks.registry import JUMP_SESSIONS, holds
from market_data.storage import queries
from stocks.storage.frames import query_frame

_LOOKBACK_DAYS = 400


def day_refusal(session: date) -> str:
    """Return why no picks may be published from a session's data; empty when they may."""
    blocking = Finding.objects.filter(session=session, blocks=True, symbol="").order_by("check_name", "id")
    return refusal_sentence(session, list(blocking.values("message")))


def refusal_sentence(session: date, blocking: Sequence[Mapping[str, Any]]) -> str:
    """Return why findings of the whole session allow no picks; empty without any."""
    reasons = [finding["message"] for finding in blocking]
    return f"The data of {session} failed a check: {'; '.join(reasons[:3])}." if reasons else ""


class KeptOut(NamedTuple):
    """A symbol that findings keep out of a session's picks: by which check, since when, until when, and why.

    `until` is the last session on which it is kept out if nothing settles it before; None where the calendar ends
    earlier. `why` names the symbol's figures; it is for operators.
    """

    symbol: str
    check: str
    since: date
    until: date | None
    why: str

    def is_new(self, session: date) -> bool:
        """Whether the session itself brought it."""
        return self.since == session


def kept_out(session: date) -> list[KeptOut]:
    """Return what findings keep out of a session's picks, one entry a symbol, sorted by symbol.

    This is the one answer that the selection, the console, the pages and the API share. A finding blocks from its
    session on for as many sessions as its check says. One that was removed (the bar was corrected and checked again) no
    longer blocks, nor does a jump that a later event explains.

    Point in time: findings of the session and earlier, events known by then; `until` looks into the calendar alone.
    """
    still_blocking = held(_symbol_findings(session), session)
    jumps = queries.unsettled_jumps(session, queries.events_frame(session))
    reasons = {row.symbol: (JUMP_CHECK, row.date.date(), jump_sentence(row)) for row in _recent(session, jumps)}
    rows = still_blocking[["symbol", "check_name", "session", "message"]].itertuples(index=False, name=None)
    reasons |= {symbol: (check, since.date(), message) for symbol, check, since, message in rows}
    days = _days_from(min((since for _, since, _ in reasons.values()), default=session))
    return [
        KeptOut(symbol, check, since, _last_day(days, since, holds(check)), why)
        for symbol, (check, since, why) in sorted(reasons.items())
    ]


def held(findings: pd.DataFrame, session: date) -> pd.DataFrame:
    """Return those findings (check_name, session) that still hold their symbols on a session."""
    position = {pd.Timestamp(day): place for place, day in enumerate(reversed(_sessions(session)), start=1)}
    age = findings["session"].map(position)
    return findings[age <= findings["check_name"].map(holds)]


def excluded_symbols(session: date) -> dict[str, str]:
    """Return the symbols of `kept_out`, each with the name of the check."""
    return {entry.symbol: entry.check for entry in kept_out(session)}


def jumped_symbols(session: date, jumps: pd.DataFrame) -> set[str]:
    """Return the symbols with an unexplained jump within a year; `jumps` as `queries.unsettled_jumps` returns them."""
    return {str(row.symbol) for row in _recent(session, jumps)}


def days_blocked_by_jumps(first: date, last: date) -> pd.DataFrame:
    """Return symbol and session of every share that an unexplained jump kept out of the picks, from one day to another.

    This is the part of `excluded_symbols` that can be told of any loaded session, also one that was never checked.

    Point in time: for each session, jumps and events known by it.
    """
    jumps = queries.jumps_frame(last)
    sessions = pd.DatetimeIndex(pd.to_datetime(trading_calendar.sessions_between(date.min, last)))
    days = blocked_days(jumps, queries.events_frame(last), sessions, JUMP_SESSIONS)
    return days[days["date"] >= pd.Timestamp(first)].reset_index(drop=True)


def _recent(session: date, jumps: pd.DataFrame) -> list[Any]:
    """Return the rows of the jumps that still block, in order of date."""
    since = pd.Timestamp(_sessions(session)[-JUMP_SESSIONS:][0])
    return list(jumps[jumps["date"] >= since].sort_values("date").itertuples(index=False))


def _days_from(first: date) -> list[date]:
    return list(
        MarketDay.objects.filter(date__gte=first, is_session=True).order_by("date").values_list("date", flat=True)
    )


def _last_day(days: list[date], since: date, sessions: int) -> date | None:
    """Return the last of so many sessions, counted from `since` on; None where the known days end before."""
    own = days[bisect_left(days, since) :]
    return own[sessions - 1] if len(own) >= sessions else None


def _sessions(session: date) -> list[date]:
    return trading_calendar.sessions_between(_first_day(session), session)


def _first_day(session: date) -> date:
    # Pages ask for any day that can be written, also for one of the year 1.
    return max(session, date.min + timedelta(days=_LOOKBACK_DAYS)) - timedelta(days=_LOOKBACK_DAYS)


def _symbol_findings(session: date) -> pd.DataFrame:
    """Return blocking findings about symbols other than jumps, under the symbols that own the history today."""
    return query_frame(
        "SELECT coalesce(c.to_symbol, f.symbol) AS symbol, f.session, f.check_name, f.message FROM findings f"
        " LEFT JOIN symbol_changes c ON c.from_symbol = f.symbol AND c.date > f.session"
        " WHERE f.blocks AND f.symbol <> '' AND f.check_name <> %s AND f.session BETWEEN %s AND %s ORDER BY f.id",
        [JUMP_CHECK, _first_day(session), session],
        dates=("session",),
    )
