"""The only writer of bars, indicators, corporate actions, source files, rejected rows and findings.

Each `record_*` runs inside the caller's transaction and may run twice with the same result.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, LiteralString

import pandas as pd
from django.db import connection
from psycopg import sql

from market_data.models import DailyBar, Finding, Quote, RejectedRow, SourceFile, TableTotal
from market_data.prices.bars import FINAL
from market_data.prices.events import FACTOR_KINDS, UNREAD
from stocks.storage import bulk
from stocks.storage.frames import query_frame
from stocks.storage.symbol_scan import NAMES
from stocks.universe.symbols import follow_renames

BAR_KEY = ("symbol", "date")
EVENT_KEY = ("symbol", "ex_date", "kind", "purpose")
_FIGURES = ("open", "high", "low", "close", "adj_close", "volume", "prev_close", "last_price", "vwap", "turnover_lakh")
_BAR_COLUMNS = (*BAR_KEY, "series", *_FIGURES, "trades", "delivered_quantity", "source", "status")
_FINDING_FIELDS = ("check_name", "severity", "blocks", "symbol", "message", "remedy", "sample")
_FINDING_DEFAULTS: dict[str, Any] = {"blocks": False, "symbol": "", "remedy": "", "sample": None}


@dataclass(frozen=True)
class ReadSession:
    """One session as read: its file, which knows whether they are final, the accepted bars, the rejected rows."""

    session: date
    file: SourceFile
    bars: pd.DataFrame
    rejects: pd.DataFrame


def record_bars(sessions: Sequence[ReadSession], adj_close: pd.Series, run_id: str) -> bulk.WriteCounts:
    """Store sessions as read; bars missing from a revised file are deleted, with a before-image.

    All are final, or all provisional: of these, rows whose stored bar is final are left out. The sessions ascend, and
    their symbols already have rows in `stocks`; `adj_close` (₹) is that of all bars in order (``pd.concat`` of the
    sessions' frames).
    """
    parts = [read.bars.assign(source=read.file.name[:60], status=read.file.status) for read in sessions]
    bars = pd.concat(parts, ignore_index=True).assign(adj_close=adj_close.to_numpy())
    if not bars["status"].eq(FINAL).all():
        bars = _without_final(bars)
    stored = SourceFile.objects.in_bulk([read.session for read in sessions], field_name="session")
    gone = [_delete_missing(read, run_id) for read in sessions if read.session in stored]
    removed = sum(bars for bars, _ in gone)
    if gone:
        record_total("technical_indicators", -sum(indicators for _, indicators in gone))
    written = bulk.upsert("historical_data", bars[list(_BAR_COLUMNS)], BAR_KEY, run_id)
    record_total("historical_data", written.inserted - removed, max(read.session for read in sessions))
    _record_files(sessions, run_id, first_time=not stored)
    rejects = pd.concat([read.rejects.assign(source=read.file.name) for read in sessions], ignore_index=True)
    record_rejected(rejects, run_id)
    return bulk.WriteCounts(written.inserted, written.updated + removed)


def record_imported_bars(bars: pd.DataFrame, run_id: str) -> bulk.WriteCounts:
    """Store uploaded bars (bar frame with adj_close, source and status); other bars of their days stay.

    Their sessions get no source file: the exchange's own file of such a day is still read when it arrives.
    """
    written = bulk.upsert("historical_data", bars[list(_BAR_COLUMNS)], BAR_KEY, run_id)
    record_total("historical_data", written.inserted, None if bars.empty else bars["date"].max().date())
    return written


def _without_final(bars: pd.DataFrame) -> pd.DataFrame:
    """Leave out the bars of a vendor whose session and symbol have the exchange's own stored."""
    days = sorted({stamp.date() for stamp in bars["date"]})
    final = DailyBar.objects.filter(date__in=days, status=FINAL).values_list("symbol_id", "date")
    stored = pd.MultiIndex.from_tuples([(symbol, pd.Timestamp(day)) for symbol, day in final], names=BAR_KEY)
    return bars.loc[~pd.MultiIndex.from_frame(bars[list(BAR_KEY)]).isin(stored)]


def record_adj_close(frame: pd.DataFrame, run_id: str) -> int:
    """Store adjusted closes (symbol, date, adj_close in ₹) where they differ; return how many did."""
    return bulk.update("historical_data", frame[["symbol", "date", "adj_close"]], BAR_KEY, run_id)


def record_indicators(frame: pd.DataFrame, run_id: str) -> bulk.WriteCounts:
    written = bulk.upsert("technical_indicators", frame, BAR_KEY, run_id)
    record_total("technical_indicators", written.inserted, None if frame.empty else frame["date"].max().date())
    return written


def record_corporate_actions(events: pd.DataFrame, run_id: str) -> bulk.WriteCounts:
    """Store an event frame under the symbols in use; a stored event that differs is changed, with a before-image."""
    rows = _under_new_names(events)
    rows["evidence"] = [
        json.dumps(value, default=str) if isinstance(value, dict) else None for value in rows["evidence"]
    ]
    return bulk.upsert("corporate_actions", rows, EVENT_KEY, run_id)


def record_official_events(events: pd.DataFrame, run_id: str) -> bulk.WriteCounts:
    """Store the events of a list; evidence added to a stored one since stays as long as its factor does.

    What a list words or the system reads differently now replaces its earlier version, so that no action counts twice.
    """
    listed = _under_new_names(events)
    stored = query_frame(
        "SELECT symbol, ex_date, kind, purpose, factor AS stored_factor, known_on AS stored_known_on"
        " FROM corporate_actions WHERE status = 'official'",
        dates=("ex_date", "stored_known_on"),
    ).astype({"stored_factor": "float64"})
    removed = remove_corporate_actions(_replaced(stored, listed), run_id)
    texts = dict.fromkeys(("symbol", "kind", "purpose"), "str")
    both = listed.astype(texts).merge(stored.astype(texts), on=list(EVENT_KEY), how="left")
    same_factor = both["factor"].eq(both["stored_factor"]) | (both["factor"].isna() & both["stored_factor"].isna())
    is_known = (same_factor & both["known_on"].eq(both["stored_known_on"])).to_numpy()
    written = record_corporate_actions(listed[~is_known], run_id)
    return bulk.WriteCounts(written.inserted, written.updated + removed)


def _replaced(stored: pd.DataFrame, listed: pd.DataFrame) -> pd.DataFrame:
    """Return the stored events that a list has in another version.

    Either their text has another kind now, or their split, bonus or consolidation another text: the report announces
    ``BONUS 1:1``, the list of the ex-date ``Bonus 1:1``.
    """

    def listed_by(*columns: str) -> pd.Series:
        names = list(columns)
        keys = pd.MultiIndex.from_frame(listed[names].astype({"symbol": object}))
        return pd.Series(pd.MultiIndex.from_frame(stored[names].astype({"symbol": object})).isin(keys), stored.index)

    one_a_day = stored["kind"].isin((*FACTOR_KINDS, UNREAD))
    replaced = listed_by("symbol", "ex_date", "purpose") | (one_a_day & listed_by("symbol", "ex_date", "kind"))
    return stored[replaced & ~listed_by(*EVENT_KEY)]


def _under_new_names(events: pd.DataFrame) -> pd.DataFrame:
    """Give each event the symbol that owns its history now; lists use the one of the ex-date or of today."""
    named = follow_renames(events, date_column="ex_date").drop_duplicates(list(EVENT_KEY), keep="last")
    return named.assign(purpose=named["purpose"].fillna("").str.slice(0, 300))


def rename_corporate_actions(renames: pd.DataFrame, run_id: str) -> int:
    """Move the events of renamed shares (from_symbol, to_symbol, date) to the new symbols; return how many."""
    moved = 0
    for row in renames.to_dict("records"):
        new = row["to_symbol"]
        past = ("t.symbol = %s AND t.ex_date < %s", [row["from_symbol"], pd.Timestamp(row["date"]).date()])
        is_duplicate = (
            " AND EXISTS (SELECT 1 FROM corporate_actions n WHERE n.symbol = %s"
            " AND (n.ex_date, n.kind, n.purpose) = (t.ex_date, t.kind, t.purpose))"
        )
        bulk.delete("corporate_actions", past[0] + is_duplicate, [*past[1], new], run_id)
        bulk.keep_before_images("corporate_actions", *past, run_id)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE corporate_actions t SET symbol = %s WHERE " + past[0], [new, *past[1]])
            moved += cursor.rowcount
    return moved


def remove_corporate_actions(events: pd.DataFrame, run_id: str) -> int:
    """Delete events (symbol, ex_date, kind, purpose), keeping before-images; return how many there were."""
    return sum(
        bulk.delete(
            "corporate_actions",
            "t.symbol = %s AND t.ex_date = %s AND t.kind = %s AND t.purpose = %s",
            [row["symbol"], row["ex_date"].date(), row["kind"], row["purpose"]],
            run_id,
        )
        for row in events.to_dict("records")
    )


def record_trading_limits(limits: pd.DataFrame, run_id: str) -> bulk.WriteCounts:
    """Store bands and surveillance (symbol, date, ₹, shares, words, source); NA stays NULL."""
    return bulk.upsert("trading_limits", limits, BAR_KEY, run_id)


def record_quotes(quotes: pd.DataFrame) -> int:
    """Store quotes (symbol, at, last_price in ₹, volume, source), one per moment; return how many are new."""
    rows = [
        Quote(**{str(name): value for name, value in row.items()})
        for row in quotes.rename(columns={"symbol": "symbol_id"}).to_dict("records")
    ]
    before = Quote.objects.count()
    Quote.objects.bulk_create(rows, ignore_conflicts=True, batch_size=2000)
    return Quote.objects.count() - before


def first_dates_of_events(run_id: str) -> dict[str, date]:
    """Return the symbols of the events a run inserted or changed whose ex-date must be looked at, with the first one.

    These are events with a factor, demergers, whose factor is measured there, and splits or bonuses that are unread.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT symbol, min(ex_date) FROM (SELECT symbol, ex_date, kind, factor FROM corporate_actions"
            " WHERE run_id = %s UNION ALL SELECT r.symbol, r.ex_date, r.kind, r.factor FROM run_undo u,"
            " jsonb_populate_record(NULL::corporate_actions, u.row_image) r"
            " WHERE u.run_id = %s AND u.table_name = 'corporate_actions') changed"
            " WHERE factor IS NOT NULL OR kind IN ('demerger', %s) GROUP BY symbol ORDER BY symbol",
            [run_id, run_id, UNREAD],
        )
        return dict(cursor.fetchall())


def record_rejected(rejects: pd.DataFrame, run_id: str) -> int:
    """Store rejected rows: columns symbol, date, reason, raw, source."""
    rows = [
        RejectedRow(
            run_id=run_id,
            session=None if pd.isna(row["date"]) else row["date"],
            symbol=str(row["symbol"])[:100],
            source=str(row["source"])[:200],
            reason=str(row["reason"])[:200],
            raw=str(row["raw"])[:2000],
        )
        for row in rejects.to_dict("records")
    ]
    return len(RejectedRow.objects.bulk_create(rows))


def record_findings(run_id: str, session: date | None, findings: Sequence[dict[str, Any]]) -> int:
    """Store findings of a session, as fields of :class:`Finding` other than run and session; return how many."""
    rows = [Finding(run_id=run_id, session=session, **finding) for finding in findings]
    return len(Finding.objects.bulk_create(rows))


def remove_findings(check_name: str, sessions: Sequence[date], run_id: str) -> int:
    """Delete a check's findings on some sessions, keeping before-images of other runs' findings; return how many."""
    return bulk.delete("findings", "t.check_name = %s AND t.session = ANY(%s)", [check_name, list(sessions)], run_id)


def replace_findings(
    run_id: str, session: date | None, checks: Iterable[str], findings: Sequence[dict[str, Any]]
) -> int:
    """Replace the findings of checks on a session, whichever run stored them; return how many there are now.

    The rows of a check with the same findings as before stay as they are; deleted rows leave before-images. `checks`
    names all that ran, with or without findings.
    """
    names = {*checks, *(finding["check_name"] for finding in findings)}
    rows = Finding.objects.filter(session=session, check_name__in=names).order_by("id").values(*_FINDING_FIELDS)
    old, new = _contents_by_check(rows), _contents_by_check(findings)
    changed = sorted(name for name in names if old.get(name) != new.get(name))
    bulk.delete("findings", "t.check_name = ANY(%s) AND t.session IS NOT DISTINCT FROM %s", [changed, session], run_id)
    record_findings(run_id, session, [finding for finding in findings if finding["check_name"] in changed])
    return len(findings)


def _contents_by_check(findings: Iterable[dict[str, Any]]) -> dict[str, list[str]]:
    contents: dict[str, list[str]] = {}
    for finding in findings:
        full = _FINDING_DEFAULTS | {name: value for name, value in finding.items() if name in _FINDING_FIELDS}
        contents.setdefault(finding["check_name"], []).append(json.dumps(full, sort_keys=True, default=str))
    return {name: sorted(lines) for name, lines in contents.items()}


def record_same_content(session: date, name: str, size: int, mtime_ns: int) -> None:
    """Update the name, size and modification time of a session's file whose content is unchanged."""
    SourceFile.objects.filter(session=session).update(name=name, size=size, mtime_ns=mtime_ns)


def record_total(table: str, added: int, latest: date | None = None) -> None:
    """Add rows to the stored total of a table and count its symbols, so that no page has to."""
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(
                "INSERT INTO table_totals AS t (table_name, rows, symbols, latest_date, updated_at)"
                " VALUES (%s, %s, {symbols}, %s, now())"
                " ON CONFLICT (table_name) DO UPDATE SET rows = t.rows + EXCLUDED.rows, symbols = EXCLUDED.symbols,"
                " latest_date = greatest(t.latest_date, EXCLUDED.latest_date), updated_at = now()"
            ).format(symbols=_symbol_count(table)),
            [table, added, latest],
        )


def recount(table: str) -> None:
    """Recount a table after a rollback; an empty table has no total, as before its first row."""
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(
                "UPDATE table_totals SET rows = (SELECT count(*) FROM {table}), symbols = {symbols},"
                " latest_date = (SELECT max(date) FROM {table}), updated_at = now() WHERE table_name = %s"
            ).format(table=sql.Identifier(table), symbols=_symbol_count(table)),
            [table],
        )
        cursor.execute("DELETE FROM table_totals WHERE table_name = %s AND rows = 0", [table])


def recount_symbols() -> None:
    """Count the symbols of the totals again, after renames moved rows from one to another."""
    with connection.cursor() as cursor:
        for table in TableTotal.objects.values_list("table_name", flat=True):
            statement = sql.SQL("UPDATE table_totals SET symbols = {symbols} WHERE table_name = %s")
            cursor.execute(statement.format(symbols=_symbol_count(table)), [table])


def _symbol_count(table: str) -> sql.Composed:
    return sql.SQL("(" + NAMES + "SELECT count(symbol) FROM names)").format(table=sql.Identifier(table))


def _delete_missing(read: ReadSession, run_id: str) -> tuple[int, int]:
    """Delete the session's bars and their indicators that its file no longer has; return how many of each.

    A vendor's file does not make the exchange's bars go.
    """
    symbols = read.bars["symbol"].astype(str).tolist()
    missing = [read.session, symbols]
    indicators = 0
    if read.file.status == FINAL:
        where: LiteralString = "t.date = %s AND NOT t.symbol = ANY(%s)"
        indicators = bulk.delete("technical_indicators", where, missing, run_id)
    else:
        where = "t.date = %s AND NOT t.symbol = ANY(%s) AND t.status <> 'final'"
    return bulk.delete("historical_data", where, missing, run_id), indicators


def _record_files(sessions: Sequence[ReadSession], run_id: str, *, first_time: bool) -> None:
    facts: list[dict[str, Any]] = [
        {
            "session": read.session,
            "name": read.file.name,
            "size": read.file.size,
            "mtime_ns": read.file.mtime_ns,
            "sha256": read.file.sha256,
            "rows": len(read.bars),
            "rejected": len(read.rejects),
            "status": read.file.status,
        }
        for read in sessions
    ]
    if first_time:
        # One statement: for an evening's single file, staging would take longer than all its bars.
        SourceFile.objects.bulk_create(SourceFile(**fields, run_id=run_id) for fields in facts)
        return
    files = pd.DataFrame(facts)
    bulk.upsert("source_files", files.assign(session=pd.to_datetime(files["session"])), ("session",), run_id)
