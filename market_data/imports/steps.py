"""The steps of `check_csv` and `import_csv`: check an uploaded file, write its rows, recompute the indicators.

The dry run is the real write, rolled back: it counts new and changed rows exactly, and whatever the database refuses
shows before anybody decides.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Final, NamedTuple

import pandas as pd
from django.db import DatabaseError, transaction

from market_data.imports.kinds import KINDS, Kind
from market_data.imports.parsing import ParsedFile, RowError, display_text, duplicate_errors, parsed_file, without_lines
from market_data.imports.records import first_dates
from market_data.models import ImportedFile
from market_data.prices import adjustments
from market_data.prices.indicators import WARM_UP_ROWS, indicators
from market_data.runs.reconnecting import DATABASE_LOST
from market_data.runs.saga import Chunk, StepContext, StepFailed
from market_data.steps.indicators import record_indicators
from market_data.steps.pending import PendingWork, add_pending_work, pending_work
from market_data.storage import queries
from market_data.storage import writer as market_writer
from market_data.trading_calendar import CalendarError
from stocks.storage.bulk import WriteCounts
from stocks.storage.file_contents import LINE, FileUnreadable

ERRORS_KEPT: Final = 500
ROWS_PREVIEWED: Final = 50
_SYMBOLS_AT_ONCE: Final = 200


class CheckedUpload(NamedTuple):
    """An uploaded file with all errors of its rows."""

    kind: Kind
    name: str
    file: ParsedFile

    @property
    def good_rows(self) -> pd.DataFrame:
        return without_lines(self.file.rows, self.file.bad_lines)


def check(context: StepContext) -> dict[str, Any]:
    """Check the run's file and try to write its good rows; return the report for the page."""
    try:
        upload = _checked_upload(context)
    except (FileUnreadable, CalendarError) as error:
        return {"refused": str(error)}
    written, refused = _try_writing(upload)
    context.log("checked", rows=len(upload.file.rows), errors=len(upload.file.errors))
    return _report(upload, written) | ({"refused": refused} if refused else {})


def record_check(context: StepContext, report: dict[str, Any]) -> int:
    """Keep the report in the run's summary."""
    context.summarise(**report)
    return int(report.get("rows", 0))


def read_rows(context: StepContext) -> CheckedUpload:
    """Check the run's file again, against the database as it is now.

    Raises
    ------
    StepFailed
        When no row is good, or one is bad and the option `only_good` is not set.
    """
    upload = _checked_upload(context)
    bad = len(upload.file.bad_lines)
    if bad and not context.run.options.get("only_good"):
        first = min(upload.file.errors)
        raise StepFailed(
            f"{bad} rows of {upload.name} are bad, the first in line {first.line} ({first.column} {first.value!r}"
            f" {first.reason}). Nothing was written: correct the file, or import only the good rows."
        )
    if upload.good_rows.empty:
        raise StepFailed(f"{upload.name} has no good row. Nothing was written.")
    return upload


def record_rows(context: StepContext, upload: CheckedUpload) -> int:
    """Write the good rows by their table's writer, and store the errors of the others as rejected rows."""
    rows, run_id = upload.good_rows, context.run.id
    written = upload.kind.record(rows, upload.name, run_id)
    _record_rejects(upload, run_id)
    if upload.kind.computed and written.total:
        add_pending_work(context.run, PendingWork(recompute=first_dates(rows)))
    left_out = len(upload.file.bad_lines)
    context.summarise(inserted=written.inserted, updated=written.updated, left_out=left_out, file=upload.name)
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
    return frame[frame["date"] >= pd.to_datetime(frame["symbol"].map(firsts))]


def _checked_upload(context: StepContext) -> CheckedUpload:
    stored = ImportedFile.objects.filter(pk=context.run.options["file"]).first()
    if stored is None:
        raise StepFailed("The file is no longer stored; upload it again.")
    kind = KINDS[stored.kind]
    file = parsed_file(bytes(stored.content), stored.name, kind.columns, context.report)
    return CheckedUpload(kind, stored.name, _with_row_errors(kind, file, context.now))


def _with_row_errors(kind: Kind, file: ParsedFile, now: datetime) -> ParsedFile:
    errors = [*file.errors, *duplicate_errors(without_lines(file.rows, file.bad_lines), kind.key)]
    good = without_lines(file.rows, {error.line for error in errors})
    return file._replace(errors=[*errors, *(kind.check(good, now) if len(good) else [])])


def _try_writing(upload: CheckedUpload) -> tuple[WriteCounts, str]:
    """Write the good rows and roll back; return the counts, and why the database or the writer refuses them."""
    rows = upload.good_rows
    if rows.empty:
        return WriteCounts(0, 0), ""
    try:
        with transaction.atomic():
            written = upload.kind.record(rows, upload.name, "check")
            transaction.set_rollback(True)
    except CalendarError as error:
        return WriteCounts(0, 0), str(error)
    except DATABASE_LOST:
        raise
    except DatabaseError as error:
        first_line = str(error).splitlines()[0]
        return WriteCounts(0, 0), f"The database refuses these rows: {display_text(first_line)}"
    return written, ""


def _report(upload: CheckedUpload, written: WriteCounts) -> dict[str, Any]:
    file, good = upload.file, len(upload.good_rows)
    # Lines that could not be split into cells have errors and are not among the rows.
    unsplit = file.bad_lines - set(file.rows[LINE])
    return {
        "rows": len(file.rows) + len(unsplit),
        "good": good,
        "bad": len(file.bad_lines),
        "new": written.inserted,
        "changed": written.updated,
        "same": max(good - written.total, 0),
        "ignored_columns": file.ignored,
        "note": upload.kind.note(upload.good_rows) if good else "",
        "errors": [error._asdict() for error in sorted(file.errors)[:ERRORS_KEPT]],
        "errors_in_all": len(file.errors),
        "preview": _preview(file),
    }


def _preview(file: ParsedFile) -> dict[str, Any]:
    """Return the first rows of the file as read, each with its errors."""
    errors_by_line: dict[int, list[RowError]] = {}
    for error in file.errors:
        errors_by_line.setdefault(error.line, []).append(error)
    head = file.rows.head(ROWS_PREVIEWED)
    columns = [str(column) for column in head.columns if column != LINE and head[column].notna().any()]
    rows = [
        {
            "line": int(row[LINE]),
            "cells": ["" if pd.isna(row[column]) else display_text(row[column]) for column in columns],
            "wrong": [
                f"{error.column} {error.value!r} {error.reason}" for error in errors_by_line.get(int(row[LINE]), [])
            ],
        }
        for row in head.to_dict("records")
    ]
    return {"columns": columns, "rows": rows}


def _record_rejects(upload: CheckedUpload, run_id: str) -> None:
    if errors := upload.file.errors:
        reasons = [f"line {error.line}: {error.column} {error.reason}"[:200] for error in errors]
        raw = [error.value for error in errors]
        rejects = {"symbol": "", "date": None, "reason": reasons, "raw": raw, "source": upload.name}
        market_writer.record_rejected(pd.DataFrame(rejects), run_id)
