"""All checks of a session, in the order in which they run, and the one whose finding the adjustment writes."""

from market_data.prices.jumps import JUMP_CHECK
from market_data.quality.checks import days, facts, figures, prices
from market_data.quality.checks.check import HOLDS_SESSIONS, Check

CHECKS: tuple[Check, ...] = (*days.CHECKS, *prices.CHECKS, *figures.CHECKS, *facts.CHECKS)

JUMP_SESSIONS = 252
"""How long a jump that nothing explains keeps its symbol out: averages and volatility look back that far across it."""

_HOLDS = {check.name: check.holds for check in CHECKS} | {JUMP_CHECK: JUMP_SESSIONS}


def holds(name: str) -> int:
    """Return for how many sessions a blocking finding of a check keeps its symbol out, its own session among them."""
    return _HOLDS.get(name, HOLDS_SESSIONS)
