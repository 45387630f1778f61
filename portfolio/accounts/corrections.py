"""Sets the ledger right: what is owed otherwise than it was entered gets a correction beside it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from portfolio.ledger.postings import stem
from portfolio.models import LedgerEntry


def by_stem(entries: Iterable[LedgerEntry]) -> dict[str, list[LedgerEntry]]:
    """Entries with their corrections, by the reference that was entered first."""
    entered: dict[str, list[LedgerEntry]] = defaultdict(list)
    for entry in entries:
        entered[stem(entry.reference)].append(entry)
    return entered


def settle(owed: Iterable[LedgerEntry], entered: Mapping[str, Sequence[LedgerEntry]], reason: str) -> None:
    """Enter what is owed and not entered yet; the caller holds the account's lock.

    Parameters
    ----------
    owed : unsaved, each under its own reference, with the shares and ₹ that it comes to in all
    entered : by `by_stem`
    reason : of the corrections
    """
    rows = []
    for due in owed:
        before = entered.get(due.reference, ())
        due.quantity -= sum(entry.quantity for entry in before)
        due.amount -= sum((entry.amount for entry in before), Decimal(0))
        if not (due.quantity or due.amount):
            continue
        if before:
            due.kind, due.reason = LedgerEntry.EntryKind.CORRECTION, reason
            due.reference = f"{due.reference}#{len(before)}"
        rows.append(due)
    LedgerEntry.objects.bulk_create(rows)
