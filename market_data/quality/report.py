"""Report of the findings of many sessions, as text for the terminal and as JSON; pure."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any

from market_data.quality.checks.registry import CHECKS

FindingsBySession = Sequence[tuple[date, list[dict[str, Any]]]]
_EXAMPLES = 200


def by_check(checked: FindingsBySession) -> list[dict[str, Any]]:
    """Return one row per check, also without findings: findings, sessions, blocked days and symbol-days."""
    rows = []
    every = [(session, finding) for session, findings in checked for finding in findings]
    for check in CHECKS:
        own = [(session, finding) for session, finding in every if finding["check_name"] == check.name]
        blocking = [(session, finding) for session, finding in own if finding["blocks"]]
        days = sorted({session for session, _ in own})
        rows.append(
            {
                "check": check.name,
                "severity": check.severity,
                "blocks": str(check.blocks),
                "findings": len(own),
                "sessions": len(days),
                "days_blocked": len({session for session, finding in blocking if not finding["symbol"]}),
                "symbol_days_blocked": sum(1 for _, finding in blocking if finding["symbol"]),
                "first": str(days[0]) if days else None,
                "last": str(days[-1]) if days else None,
            }
        )
    return rows


def as_json(checked: FindingsBySession) -> dict[str, Any]:
    """Return the report as JSON values: the rows of `by_check`, and the findings of each session that has some."""
    sessions = [{"session": str(session), "findings": findings} for session, findings in checked if findings]
    return {"sessions_checked": len(checked), "checks": by_check(checked), "sessions": sessions}


def as_text(checked: FindingsBySession) -> str:
    """Return the report as text: a line per check, the blocking findings, the blocked days by month."""
    head = f"{'check':<26}{'severity':<9}{'blocks':<8}{'findings':>9}{'sessions':>9}{'days':>6}{'symbols':>8}  between"
    lines = [f"{len(checked)} sessions checked; nothing was written.", "", head]
    for row in by_check(checked):
        between = f"{row['first']} … {row['last']}" if row["first"] else ""
        lines.append(
            f"{row['check']:<26}{row['severity']:<9}{row['blocks']:<8}{row['findings']:>9,}{row['sessions']:>9,}"
            f"{row['days_blocked']:>6}{row['symbol_days_blocked']:>8}  {between}"
        )
    blocking = [(session, finding) for session, findings in checked for finding in findings if finding["blocks"]]
    lines += ["", "Blocking findings:" if blocking else "Nothing blocks."]
    for session, finding in blocking[:_EXAMPLES]:
        lines.append(f"  {session} {finding['symbol'] or 'DAY':<12} {finding['check_name']}: {finding['message']}")
    if len(blocking) > _EXAMPLES:
        lines.append(f"  … and {len(blocking) - _EXAMPLES} more; --json has all of them.")
    blocked_days = {session for session, finding in blocking if not finding["symbol"]}
    months = Counter(f"{session:%Y-%m}" for session in blocked_days)
    by_month = ", ".join(f"{month} {count}" for month, count in sorted(months.items()))
    return "\n".join([*lines, "", f"Days blocked by month: {by_month or 'none'}"])
