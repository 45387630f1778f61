"""Data quality: what is wrong with the market's data, how severe it is, what it blocks, and the remedy.

* `checks/`: pure functions over a session's evidence, each an entry of its module's ``CHECKS``;
* `reading`: reads the evidence from the database;
* `blocking`: what the stored findings keep out of the picks;
* `system`: findings about the system rather than a session (age of the back-up, late session), registered by others.

To add a check, write one function and one entry of ``CHECKS``.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any

import pandas as pd

from market_data.quality import reading
from market_data.quality.blocking import (
    KeptOut,
    day_refusal,
    days_blocked_by_jumps,
    excluded_symbols,
    jumped_symbols,
    kept_out,
)
from market_data.quality.checks.check import HOLDS_SESSIONS, Blocks, Check
from market_data.quality.checks.registry import CHECKS
from market_data.quality.system import register_system_check, system_check_names, system_findings

__all__ = [
    "CHECKS",
    "HOLDS_SESSIONS",
    "Blocks",
    "Check",
    "Findings",
    "KeptOut",
    "day_refusal",
    "days_blocked_by_jumps",
    "excluded_symbols",
    "findings_between",
    "findings_of",
    "jumped_symbols",
    "kept_out",
    "register_system_check",
    "system_check_names",
    "system_findings",
]

Findings = list[dict[str, Any]]


def findings_of(session: date, report: Callable[[int, int], None] | None = None) -> Findings:
    """Run every check on a session and return the findings as model fields; nothing is written.

    Point in time: reads the session and those before it.
    """
    return next(findings_between([session], report))[1]


def findings_between(
    sessions: Sequence[date],
    report: Callable[[int, int], None] | None = None,
    metrics_of: Callable[[date], pd.DataFrame | None] | None = None,
) -> Iterator[tuple[date, Findings]]:
    """Yield each session in ascending order, also one without bars, with its findings; nothing is written.

    `report` is called with the number of sessions done and their total; `metrics_of` gives the metrics of a session
    that are to be checked, None where there are none; without it they are those stored.
    """
    for done, evidence in enumerate(reading.evidence_between(sessions, metrics_of), start=1):
        findings = [finding for check in CHECKS for finding in check.findings(evidence)]
        if report:
            report(done, len(sessions))
        yield evidence.session, findings
