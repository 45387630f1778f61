"""The only writer of `pick_outcomes`: it adds, and never changes or removes a row."""

import math
from collections.abc import Sequence
from typing import Final

from django.db import connection

from ml.models import PickOutcome

_ROUNDING: Final = 1e-9
"""A later split scales all prices of a trade alike; what differs by less is the rounding of that."""

_COMPARED: Final = (
    *("result", "entry_date", "entry_price", "exit_date", "exit_price", "first_touched", "touched_on"),
    *("return_pct", "index_excess_pct", "universe_return_pct", "excess_pct", "charges_pct", "net_excess_pct"),
)


def record_outcomes(outcomes: Sequence[PickOutcome], run_id: str) -> tuple[int, int]:
    """Add what is not recorded yet, and what differs from the newest record as its next version: a correction.

    Returns the numbers of new outcomes and of corrections. Runs inside the caller's transaction; recorded twice, the
    same outcomes leave the same rows, also by two runs at once.
    """
    if not outcomes:
        return 0, 0
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE pick_outcomes IN SHARE ROW EXCLUSIVE MODE")
    recorded = {
        (row.date, row.strategy, row.symbol): row
        for row in PickOutcome.objects.filter(date__gte=min(row.date for row in outcomes)).order_by("version")
    }
    added = []
    for outcome in outcomes:
        before = recorded.get((outcome.date, outcome.strategy, outcome.symbol))
        if before is None or not _is_same(before, outcome):
            outcome.version = before.version + 1 if before else 1
            outcome.run_id = run_id
            added.append(outcome)
    PickOutcome.objects.bulk_create(added)
    corrections = sum(outcome.version > 1 for outcome in added)
    return len(added) - corrections, corrections


def _is_same(before: PickOutcome, after: PickOutcome) -> bool:
    return all(_is_equal(getattr(before, name), getattr(after, name)) for name in _COMPARED)


def _is_equal(before: object, after: object) -> bool:
    if isinstance(before, float) and isinstance(after, float):
        return math.isclose(before, after, rel_tol=_ROUNDING, abs_tol=_ROUNDING)
    return before == after
