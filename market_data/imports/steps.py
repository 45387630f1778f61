"""The steps of `check_csv` and `import_csv`: judge a handed-in file, write its rows, compute what follows from them.

The dry run is the real write, undone: it says exactly how many rows are new and how many change, and whatever the
database refuses shows before anybody decides.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Final, NamedTuple

import pandas as pd
from django.db import DatabaseError, transaction

from market_data.imports.judging import Judged, RowError, doubled, judged, shown, without
from market_data.imports.kinds import KINDS, Kind
from market_data.imports.records import first_days
from market_data.models import ImportedFile, PipelineRun
from market_data.prices import adjustments
from market_data.prices.indicators import WARM_UP_ROWS, indicators
from market_data.runs.reconnecting import DATABASE_LOST
from market_data.runs.saga import Chunk, StepContext, StepFailed, saga_of
from market_data.steps.indicators import record_indicators
from market_data.steps.pending import PendingWork, add_pending_work, pending_work
from market_data.storage import queries
from market_data.storage import writer as market_writer
from market_data.trading_calendar import CalendarError
from stocks.storage.bulk import WriteCounts
from stocks.storage.file_contents import LINE, FileUnreadable

ERRORS_KEPT: Final = 500
ROWS_SHOWN: Final = 50
_SYMBOLS_AT_ONCE: Final = 200


class Handed(NamedTuple):
    """A file as it was judged."""

    kind: Kind
    name: str
    found: Judged

    @property
    def good(self) -> pd.DataFrame:
        """Rows of which nothing is wrong."""
        return without(self.found.rows, self.found.bad_lines)


def check(context: StepContext) -> dict[str, Any]:
    """Judge the run's file and try its good rows; return the report that the page shows."""
    try:
        handed = _judged(context)
    except (FileUnreadable, CalendarError) as error:
        return {"refused": str(error)}
    written, refused = _tried(handed)
    context.log("judged", rows=len(handed.found.rows), errors=len(handed.found.errors))
    return _report(handed, written) | ({"refused": refused} if refused else {})


def record_check(context: StepContext, report: dict[str, Any]) -> int:
    """Keep the report in the run's summary."""
    context.summarise(**report)
    return int(report.get("rows", 0))


def run_at_work_on(kind: Kind) -> PipelineRun | None:
    """Return a run that is writing what an import of this kind would change under it."""
    tables = {kind.table, *kind.computed}
    running = PipelineRun.objects.filter(status=PipelineRun.Status.RUNNING, is_replay=False).exclude(job="import_csv")
    return next((run for run in running if not tables.isdisjoint(saga_of(run.job).tables)), None)


def read_rows(context: StepContext) -> Handed:
    """Judge the run's file again, as the database stands now; refuse it while a row is bad unless asked not to."""
    handed = _judged(context)
    if other := run_at_work_on(handed.kind):
        raise StepFailed(f"{other.id} is at work on the same tables. Nothing was written: retry when it has ended.")
    bad = len(handed.found.bad_lines)
    if bad and not context.run.options.get("only_good"):
        first = sorted(handed.found.errors)[0]
        raise StepFailed(
            f"{bad} rows of {handed.name} are bad, the first in line {first.line} ({first.column} {first.value!r}"
            f" {first.reason}). Nothing was written: correct the file, or ask for the good rows alone."
        )
    if handed.good.empty:
        raise StepFailed(f"{handed.name} holds no good row. Nothing was written.")
    return handed


def record_rows(context: StepContext, handed: Handed) -> int:
    """Write the rows through their table's writer, and keep the lines aside that were left out."""
    rows, run_id = handed.good, context.run.id
    written = handed.kind.record(rows, handed.name, run_id)
    _keep_aside(handed, run_id)
    if handed.kind.computed:
        add_pending_work(context.run, PendingWork(recompute=first_days(rows)))
    left_out = len(handed.found.bad_lines)
    context.summarise(inserted=written.inserted, updated=written.updated, left_out=left_out, file=handed.name)
    return written.total


def indicator_chunks(context: StepContext) -> Sequence[Chunk]:
    """Return groups of the symbols whose bars were imported."""
    latest = queries.latest_session()
    if latest is None:
        return []
    symbols = sorted(pending_work(context.run).recompute)
    groups = [symbols[start : start + _SYMBOLS_AT_ONCE] for start in range(0, len(symbols), _SYMBOLS_AT_ONCE)]
    return [
        Chunk(group[0], partial(_recomputed_indicators, symbols=group, latest=latest), record_indicators)
        for group in groups
    ]


def _recomputed_indicators(context: StepContext, symbols: Sequence[str], latest: date) -> pd.DataFrame:
    """Return the indicator frame of some symbols, of each from its first imported date to the latest session."""
    firsts = pending_work(context.run).recompute
    since = min(firsts[symbol] for symbol in symbols)
    later = len(queries.bars_frame(since, None, symbols)["date"].unique())
    prices = queries.last_prices(symbols, later + WARM_UP_ROWS, before=latest + timedelta(days=1))
    events = queries.events_frame(latest, only_factors=True)
    frame = indicators(adjustments.adjusted(prices, events, latest))
    return frame.loc[frame["date"] >= pd.to_datetime(frame["symbol"].map(firsts))]


def _judged(context: StepContext) -> Handed:
    file = ImportedFile.objects.filter(pk=context.run.options["file"]).first()
    if file is None:
        raise StepFailed("The file is no longer kept; hand it in again.")
    kind = KINDS[file.kind]
    found = judged(bytes(file.content), file.name, kind.columns, context.report)
    return Handed(kind, file.name, _with_row_checks(kind, found, context.now))


def _with_row_checks(kind: Kind, found: Judged, now: datetime) -> Judged:
    errors = [*found.errors, *doubled(without(found.rows, found.bad_lines), kind.key)]
    good = without(found.rows, {error.line for error in errors})
    return found._replace(errors=[*errors, *(kind.check(good, now) if len(good) else [])])


def _tried(handed: Handed) -> tuple[WriteCounts, str]:
    """Write the good rows and undo it; return what it did, and why the database or the writer refuses them."""
    if handed.good.empty:
        return WriteCounts(0, 0), ""
    try:
        with transaction.atomic():
            written = handed.kind.record(handed.good, handed.name, "check")
            transaction.set_rollback(True)
    except CalendarError as error:
        return WriteCounts(0, 0), str(error)
    except DATABASE_LOST:
        raise
    except DatabaseError as error:
        told = str(error).splitlines()[0]
        return WriteCounts(0, 0), f"The database refuses these rows: {shown(told)}"
    return written, ""


def _report(handed: Handed, written: WriteCounts) -> dict[str, Any]:
    found, good = handed.found, handed.good
    errors = sorted(found.errors)
    total = len(found.rows) + len({error.line for error in errors} - set(found.rows[LINE]))
    return {
        "rows": total,
        "good": len(good),
        "bad": len(found.bad_lines),
        "new": written.inserted,
        "changed": written.updated,
        "same": max(len(good) - written.total, 0),
        "ignored_columns": found.ignored,
        "errors": [error._asdict() for error in errors[:ERRORS_KEPT]],
        "errors_in_all": len(errors),
        "preview": _preview(handed),
    }


def _preview(handed: Handed) -> dict[str, Any]:
    """Return the first rows of the file as they were read, each with what is wrong with it."""
    wrong: dict[int, list[RowError]] = {}
    for error in handed.found.errors:
        wrong.setdefault(error.line, []).append(error)
    head = handed.found.rows.head(ROWS_SHOWN)
    filled = [str(column) for column in head.columns if column != LINE and head[column].notna().any()]
    rows = [
        {
            "line": int(row[LINE]),
            "cells": ["" if pd.isna(row[column]) else shown(row[column]) for column in filled],
            "wrong": [f"{error.column} {error.value!r} {error.reason}" for error in wrong.get(int(row[LINE]), [])],
        }
        for row in head.to_dict("records")
    ]
    return {"columns": filled, "rows": rows}


def _keep_aside(handed: Handed, run_id: str) -> None:
    errors = handed.found.errors
    if not errors:
        return
    rejects = pd.DataFrame(
        {
            "symbol": "",
            "date": None,
            "reason": [f"line {error.line}: {error.column} {error.reason}"[:200] for error in errors],
            "raw": [error.value for error in errors],
            "source": handed.name,
        }
    )
    market_writer.record_rejected(rejects, run_id)
