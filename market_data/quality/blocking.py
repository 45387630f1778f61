"""What stored findings block: a whole session, or single symbols, each with its reason."""

from datetime import date, timedelta

import pandas as pd

from market_data import trading_calendar
from market_data.models import Finding
from market_data.prices.jumps import JUMP_CHECK
from market_data.quality.checks.registry import JUMP_SESSIONS, holds
from market_data.storage import queries
from stocks.storage.frames import query_frame

_LOOKBACK_DAYS = 400


def day_refusal(session: date) -> str:
    """Return why no picks may be published from a session's data; empty when they may."""
    blocking = Finding.objects.filter(session=session, blocks=True, symbol="").order_by("check_name", "id")
    reasons = list(blocking.values_list("message", flat=True))
    return f"The data of {session} failed a check: {'; '.join(reasons[:3])}." if reasons else ""


def excluded_symbols(session: date) -> dict[str, str]:
    """Return the symbols that findings keep out of a session's picks, each with the name of the check.

    A finding blocks from its session on for as many sessions as its check says. One that was removed (the bar was
    corrected and checked again) no longer blocks, nor does a jump that a later event explains.

    Point in time: findings of the session and earlier, events known by then.
    """
    findings = _symbol_findings(session)
    position = {pd.Timestamp(day): place for place, day in enumerate(reversed(_sessions(session)), start=1)}
    age = findings["session"].map(position)
    still_blocking = age <= findings["check_name"].map(holds)
    jumps = queries.unsettled_jumps(session, queries.events_frame(session))
    jumped = dict.fromkeys(jumped_symbols(session, jumps), JUMP_CHECK)
    return jumped | dict(findings.loc[still_blocking, ["symbol", "check_name"]].itertuples(index=False, name=None))


def jumped_symbols(session: date, jumps: pd.DataFrame) -> set[str]:
    """Return the symbols with an unexplained jump within a year; `jumps` as `queries.unsettled_jumps` returns them."""
    since = _sessions(session)[-JUMP_SESSIONS:][0]
    return set(jumps.loc[jumps["date"] >= pd.Timestamp(since), "symbol"].astype(str))


def _sessions(session: date) -> list[date]:
    return trading_calendar.sessions_between(session - timedelta(days=_LOOKBACK_DAYS), session)


def _symbol_findings(session: date) -> pd.DataFrame:
    """Return blocking findings about symbols other than jumps, under the symbols that own the history today."""
    return query_frame(
        "SELECT coalesce(c.to_symbol, f.symbol) AS symbol, f.session, f.check_name FROM findings f"
        " LEFT JOIN symbol_changes c ON c.from_symbol = f.symbol AND c.date > f.session"
        " WHERE f.blocks AND f.symbol <> '' AND f.check_name <> %s AND f.session BETWEEN %s AND %s ORDER BY f.id",
        [JUMP_CHECK, session - timedelta(days=_LOOKBACK_DAYS), session],
        dates=("session",),
    )
