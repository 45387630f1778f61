"""Findings that are not about a session's data: the registry that other modules add theirs to.

A module registers a function of the moment; the validation stores what it returns beside the session's own findings,
and the alerts may read it at any time. It never keeps anything out of the picks.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from market_data import trading_calendar
from market_data.storage import queries

FindSystemTrouble = Callable[[datetime], list[dict[str, Any]]]

logger = logging.getLogger(__name__)
_checks: dict[str, FindSystemTrouble] = {}


def register_system_check(name: str, find: FindSystemTrouble) -> None:
    """Make a source of findings known under the `check_name` of all that it returns.

    `find` gets the moment (with a time zone) and returns findings as fields of :class:`Finding` other than run and
    session: severity, message, remedy, and any of symbol and sample.
    """
    _checks[name] = find


def system_check_names() -> tuple[str, ...]:
    return tuple(_checks)


def system_findings(now: datetime) -> list[dict[str, Any]]:
    """Return what every registered source finds at a moment; a source that breaks is a finding itself."""
    findings = []
    for name, find in _checks.items():
        try:
            reported = find(now)
        except Exception as error:
            logger.exception("system check broke", extra={"check": name})
            message = f"the check {name} broke: {type(error).__name__}: {error}"
            remedy = "See the log; the check says nothing until then."
            reported = [{"severity": "warning", "message": message, "remedy": remedy}]
        fixed = {"check_name": name, "blocks": False}
        findings += [{"symbol": "", "sample": None, **finding, **fixed} for finding in reported]
    return findings


def late_session(now: datetime) -> list[dict[str, Any]]:
    """Find a session that is over and not loaded."""
    try:
        due = trading_calendar.latest_completed_session(now)
    except trading_calendar.CalendarError as error:
        return [{"severity": "error", "message": str(error), "remedy": "Import market days with import_market_days."}]
    latest = queries.latest_session()
    if latest is None or latest >= due:
        return []
    missing = [str(day) for day in trading_calendar.sessions_between(latest, due) if day > latest]
    message = f"{len(missing)} sessions are over and not loaded, {missing[0]} the first of them"
    if len(missing) == 1:
        message = f"the session of {missing[0]} is over and not loaded"
    remedy = "Look at the pipeline's last run; if the file is not published yet, it is loaded when it is."
    return [{"severity": "warning", "message": message, "remedy": remedy, "sample": {"sessions": missing[:20]}}]


register_system_check("late_session", late_session)
