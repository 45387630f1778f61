"""Writes `differences`: a row for each, open once per account, class and subject; closed by what healed it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from brokers.protocol import IST
from portfolio.models import Difference, TradingAccount
from portfolio.reconciliation import comparison
from portfolio.reconciliation.comparison import (
    BLOCKING,
    WAITS_FOR_ORDER,
    BrokersSide,
    DifferenceKind,
    fill_id_of,
    fill_subject,
)

SYSTEM: Final = "system"
AGREES: Final = "Both sides agree again, and it has blocked a day: an operator closes it with a reason."
_HEALED: Final = "Both sides agree again."
_DAY_ENDED: Final = "It is recorded, and the broker's book of its day has ended."
_OF_ORDERS: Final = (
    DifferenceKind.STATE_BEHIND,
    DifferenceKind.FOREIGN_ORDER,
    DifferenceKind.ORDER_MISSING_THERE,
)
_OF_TRADES: Final = (DifferenceKind.FILL_MISSING_HERE, DifferenceKind.FOREIGN_FILL, DifferenceKind.FILL_UNKNOWN_THERE)
_OF_HOLDINGS: Final = (DifferenceKind.QUANTITY_DIFFERS, DifferenceKind.EVENT_DUE)
_SHOWN_ALL_DAY: Final = (DifferenceKind.FOREIGN_ORDER, DifferenceKind.FOREIGN_FILL)
_UNCHANGED_BY_CORRECTIONS: Final = (DifferenceKind.FILL_UNKNOWN_THERE, DifferenceKind.CHARGES_DIFFER)
"""The ledger is corrected, what the broker says of a fill or its note is not: closed once, they stay closed."""


@dataclass(frozen=True)
class Outcome:
    """What a reconciliation came to: differences that were settled by recording the broker's rows, and those left."""

    settled: Collection[comparison.Difference]
    left: Collection[comparison.Difference]
    theirs: BrokersSide


def write_rows(account: TradingAccount, outcome: Outcome, at: datetime) -> list[Difference]:
    """Write what a reconciliation came to; the caller holds the account's lock. Return what is open or was settled."""
    open_rows = {(row.kind, row.subject): row for row in Difference.objects.filter(account=account, closed_at=None)}
    settled = [_settled(account, each, open_rows.pop(each.place, None), at) for each in outcome.settled]
    left = {each.place: each for each in outcome.left}
    for place, row in open_rows.items():
        if place not in left:
            _heal(row, outcome, at)
    for place, each in left.items():
        _keep(account, each, open_rows.get(place), at)
    still_open = Difference.objects.filter(account=account, closed_at=None).order_by("id")
    return [*settled, *still_open]


def _settled(account: TradingAccount, each: comparison.Difference, row: Difference | None, at: datetime) -> Difference:
    row = row or _row(account, each, at)
    row.closed_at, row.closed_by, row.reason, row.action = at, SYSTEM, each.action, each.action
    row.save()
    return row


def _row(account: TradingAccount, each: comparison.Difference, at: datetime) -> Difference:
    return Difference(
        account=account,
        kind=each.kind.value,
        subject=each.subject,
        ours=dict(each.ours),
        theirs=dict(each.theirs),
        since=at,
        checked_at=at,
        action=each.action,
    )


def _keep(account: TradingAccount, each: comparison.Difference, row: Difference | None, at: datetime) -> None:
    """Show a difference that is there: the row that is open for it, else a new one."""
    if row is None:
        if not _is_closed_for_good(account, each):
            _row(account, each, at).save()
        return
    row.ours, row.theirs, row.action, row.checked_at = dict(each.ours), dict(each.theirs), each.action, at
    row.save()


def _is_closed_for_good(account: TradingAccount, each: comparison.Difference) -> bool:
    if each.kind not in _UNCHANGED_BY_CORRECTIONS:
        return False
    closed = Difference.objects.filter(account=account, kind=each.kind.value, subject=each.subject)
    same = closed.filter(ours=dict(each.ours), theirs=dict(each.theirs)).exclude(closed_at=None)
    return same.exclude(closed_by=SYSTEM).exists()


def _heal(row: Difference, outcome: Outcome, at: datetime) -> None:
    """Close a difference that is no longer there, with what healed it; one that has blocked waits for a person."""
    kind, today = DifferenceKind(row.kind), at.astimezone(IST).date()
    shown_as = next((each.kind for each in outcome.left if each.subject == row.subject), None)
    if shown_as is None and not _was_compared(kind, row, outcome.theirs, today):
        return
    if kind in BLOCKING and row.since.astimezone(IST).date() < today:
        if shown_as is None and row.action != AGREES:
            row.action = AGREES
            row.save()
        return
    ended = kind in _SHOWN_ALL_DAY and row.action != WAITS_FOR_ORDER
    healed = _DAY_ENDED if ended else _HEALED
    row.closed_at, row.closed_by = at, SYSTEM
    row.reason = f"It is {shown_as} now." if shown_as else healed
    row.save()


def _was_compared(kind: DifferenceKind, row: Difference, theirs: BrokersSide, today: date) -> bool:
    """Whether the broker's answers can say that a difference has gone: what is absent from them heals nothing."""
    is_of_today = row.since.astimezone(IST).date() == today
    if row.action == WAITS_FOR_ORDER:
        return row.subject in {fill_subject(fill_id_of(trade, today)) for trade in theirs.trades or ()}
    if kind in _SHOWN_ALL_DAY:
        return not is_of_today
    answered = {
        **dict.fromkeys(_OF_ORDERS, theirs.orders is not None),
        **dict.fromkeys(_OF_TRADES, theirs.trades is not None and is_of_today),
        **dict.fromkeys(_OF_HOLDINGS, theirs.holdings is not None),
        DifferenceKind.CASH_DIFFERS: theirs.cash is not None,
        DifferenceKind.CHARGES_DIFFER: is_of_today,
    }
    return answered[kind]
