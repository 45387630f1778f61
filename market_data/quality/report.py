"""The findings of many sessions as a table for the terminal and as plain values; pure."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any

from market_data.quality.checks.registry import CHECKS

Found = Sequence[tuple[date, list[dict[str, Any]]]]
_EXAMPLES = 200


def by_check(found: Found) -> list[dict[str, Any]]:
    """Return one row a check, those that found nothing among them: findings, sessions, days and symbols blocked."""
    rows = []
    for check in CHECKS:
        own = [(session, one) for session, findings in found for one in findings if one["check_name"] == check.name]
        blocking = [(session, one) for session, one in own if one["blocks"]]
        days = sorted({session for session, _ in own})
        rows.append(
            {
                "check": check.name,
                "severity": check.severity,
                "blocks": str(check.blocks),
                "findings": len(own),
                "sessions": len(days),
                "days_blocked": len({session for session, one in blocking if not one["symbol"]}),
                "symbol_days_blocked": sum(1 for _, one in blocking if one["symbol"]),
                "first": str(days[0]) if days else None,
                "last": str(days[-1]) if days else None,
            }
        )
    return rows


def as_json(found: Found) -> dict[str, Any]:
    """Return the report as plain values: the rows of `by_check`, and every finding by session."""
    sessions = [{"session": str(session), "findings": findings} for session, findings in found]
    told = [one for one in sessions if one["findings"]]
    return {"sessions_checked": len(found), "checks": by_check(found), "sessions": told}


def as_text(found: Found) -> str:
    """Return the report as text: a line a check, then what blocks, then the sessions with most findings."""
    head = f"{'check':<26}{'severity':<9}{'blocks':<8}{'findings':>9}{'sessions':>9}{'days':>6}{'symbols':>8}  between"
    lines = [f"{len(found)} sessions checked; nothing was written.", "", head]
    for row in by_check(found):
        between = f"{row['first']} … {row['last']}" if row["first"] else ""
        lines.append(
            f"{row['check']:<26}{row['severity']:<9}{row['blocks']:<8}{row['findings']:>9,}{row['sessions']:>9,}"
            f"{row['days_blocked']:>6}{row['symbol_days_blocked']:>8}  {between}"
        )
    blocking = [(session, one) for session, findings in found for one in findings if one["blocks"]]
    lines += ["", "Blocking findings:" if blocking else "Nothing blocks."]
    for session, one in blocking[:_EXAMPLES]:
        lines.append(f"  {session} {one['symbol'] or 'DAY':<12} {one['check_name']}: {one['message']}")
    if len(blocking) > _EXAMPLES:
        lines.append(f"  … and {len(blocking) - _EXAMPLES} more; --json has all of them.")
    months = Counter(f"{session:%Y-%m}" for session in {session for session, one in blocking if not one["symbol"]})
    told = ", ".join(f"{month} {count}" for month, count in sorted(months.items()))
    return "\n".join([*lines, "", f"Days blocked by month: {told or 'none'}"])
