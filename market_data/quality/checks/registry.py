"""All checks of a session in the order in which they run."""

from market_data.prices.jumps import JUMP_CHECK
from market_data.quality.checks import days, facts, figures, prices
from market_data.quality.checks.check import HOLDS_SESSIONS, Check

CHECKS: tuple[Check, ...] = (*days.CHECKS, *prices.CHECKS, *figures.CHECKS, *facts.CHECKS)

JUMP_SESSIONS = 252
"""Sessions for which an unexplained jump blocks its symbol: averages and volatility look back that far across it."""

_HOLDS = {check.name: check.holds for check in CHECKS} | {JUMP_CHECK: JUMP_SESSIONS}


def holds(name: str) -> int:
    """Return for how many sessions, its own included, a finding of the check blocks its symbol."""
    return _HOLDS.get(name, HOLDS_SESSIONS)
