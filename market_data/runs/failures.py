"""Which entry of docs/RUNBOOK.md helps with a failure."""

from collections.abc import Iterator

from market_data.runs.reconnecting import DATABASE_LOST
from stocks.storage.durable_files import is_disk_full


def runbook_entry(error: BaseException) -> str:
    """Key of the runbook entry for an error; empty when it has none of its own.

    An error or one of its causes names the entry in an attribute `runbook`. A full disk and a lost database are
    recognized whatever they were translated into.
    """
    chain = list(_causes(error))
    if any(is_disk_full(cause) for cause in chain):
        return "disk-full"
    for cause in chain:
        if key := getattr(cause, "runbook", ""):
            return str(key)
    if any(isinstance(cause, DATABASE_LOST) for cause in chain):
        return "database-lost"
    return "worker-died" if isinstance(error, KeyboardInterrupt) else ""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
