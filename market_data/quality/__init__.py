"""Checks of the market's data: what is wrong, how serious it is, what it keeps out of the picks, and what to do.

* `days`, `prices`, `figures`, `facts`: the checks, pure functions of a session's evidence, an entry of ``CHECKS`` each;
* `evidence`, `reading`: what they look at, and how it is read;
* `system`: findings that are not about a session's data (a back-up's age, a full disk): others register theirs;
* `registry`: all of them; `blocking`: what the stored findings keep out.

A new check is one function and one entry of its module's ``CHECKS``.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any

from market_data.quality import reading
from market_data.quality.blocking import day_refusal, jumped_symbols, kept_out
from market_data.quality.checks.check import HOLDS_SESSIONS, Blocks, Check
from market_data.quality.checks.registry import CHECKS
from market_data.quality.system import system_check, system_check_names, system_findings

__all__ = [
    "CHECKS",
    "HOLDS_SESSIONS",
    "Blocks",
    "Check",
    "Findings",
    "day_refusal",
    "findings_between",
    "findings_of",
    "jumped_symbols",
    "kept_out",
    "system_check",
    "system_check_names",
    "system_findings",
]

Findings = list[dict[str, Any]]


def findings_of(session: date, report: Callable[[int, int], None] | None = None) -> Findings:
    """Run every check on a session and return what they found, as fields of a finding.

    Point in time: looks at the session and at those before.
    """
    return next(findings_between([session], report))[1]


def findings_between(
    sessions: Sequence[date], report: Callable[[int, int], None] | None = None
) -> Iterator[tuple[date, Findings]]:
    """Yield each session, ascending, with what the checks found on it; nothing is written.

    Parameters
    ----------
    sessions
        Sessions to check; a day of the calendar without bars is one too.
    report
        Told how many of them are done.
    """
    for done, evidence in enumerate(reading.evidence_between(sessions), start=1):
        found = [finding for check in CHECKS for finding in check.findings(evidence)]
        if report:
            report(done, len(sessions))
        yield evidence.session, found
