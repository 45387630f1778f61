"""The only writer of bars, indicators, corporate actions, source files, rejected rows and findings.

Each `record_*` runs inside the caller's transaction and may run twice with the same result.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd
from django.db import connection
from psycopg import sql

from market_data.models import Finding, Quote, RejectedRow, SourceFile
from stocks.storage import bulk
from stocks.storage.frames import query_frame
from stocks.universe.symbols import follow_renames

BAR_KEY = ("symbol", "date")
_STORED = (
    "symbol",
    "date",
    "series",
    "open",
    "high",
    "low",
    "close",
    "adj_close",
    "volume",
    "prev_close",
    "last_price",
    "vwap",
    "turnover_lakh",
    "trades",
    "delivered_quantity",
    "source",
)

_FOUND = ("check_name", "severity", "blocks", "symbol", "message", "remedy", "sample")
_EMPTY: dict[str, Any] = {"blocks": False, "symbol": "", "remedy": "", "sample": None}


@dataclass(frozen=True)
class ReadSession:
    """What was read for one session: where from, the bars taken, the rows kept aside."""

    session: date
    file: SourceFile
    bars: pd.DataFrame
    rejects: pd.DataFrame


def record_bars(read: Sequence[ReadSession], adj_close: pd.Series, run_id: str) -> bulk.WriteCounts:
    """Store sessions as they were read; bars that a revised file no longer holds are deleted, with an image.

    Parameters
    ----------
    read : sequence of ReadSession
        Sessions, ascending; the symbols have rows in `stocks` already.
    adj_close : Series
        ₹, of all bars in order (``pd.concat`` of the sessions' frames).
    run_id : str
        The run that writes.
    """
    bars = pd.concat([one.bars.assign(source=one.file.name) for one in read], ignore_index=True)
    bars["adj_close"] = adj_close.to_numpy()
    stored = SourceFile.objects.in_bulk([one.session for one in read], field_name="session")
    removed = 0
    for one in read:
        if one.session in stored:
            removed += _delete_missing(one, run_id)
    written = bulk.upsert("historical_data", bars[list(_STORED)], BAR_KEY, run_id)
    record_total("historical_data", written.inserted - removed, max(one.session for one in read))
    _record_files(read, run_id, first_time=not stored)
    record_rejected(pd.concat([one.rejects.assign(source=one.file.name) for one in read], ignore_index=True), run_id)
    return bulk.WriteCounts(written.inserted, written.updated + removed)


def record_imported_bars(bars: pd.DataFrame, run_id: str) -> bulk.WriteCounts:
    """Store bars that a person handed in (bar frame with adj_close and source); other bars of their days stay.

    No source file is noted for their sessions: the exchange's own file of such a day is still read when it comes.
    """
    written = bulk.upsert("historical_data", bars[list(_STORED)], BAR_KEY, run_id)
    record_total("historical_data", written.inserted, None if bars.empty else bars["date"].max().date())
    return written


def record_adj_close(frame: pd.DataFrame, run_id: str) -> int:
    """Store adjusted closes (symbol, date, adj_close in ₹) where they differ; return how many did."""
    return bulk.update("historical_data", frame[["symbol", "date", "adj_close"]], BAR_KEY, run_id)


def record_indicators(frame: pd.DataFrame, run_id: str) -> bulk.WriteCounts:
    """Store an indicator frame."""
    written = bulk.upsert("technical_indicators", frame, BAR_KEY, run_id)
    record_total("technical_indicators", written.inserted, None if frame.empty else frame["date"].max().date())
    return written


def record_corporate_actions(events: pd.DataFrame, run_id: str) -> bulk.WriteCounts:
    """Store an event frame under the symbols in use; an event there with other figures is changed, with an image."""
    rows = _under_new_names(events).assign(purpose=events["purpose"].fillna("").str.slice(0, 300))
    rows["evidence"] = [
        json.dumps(value, default=str) if isinstance(value, dict) else None for value in rows["evidence"]
    ]
    return bulk.upsert("corporate_actions", rows, ("symbol", "ex_date", "kind", "purpose"), run_id)


def record_official_events(events: pd.DataFrame, run_id: str) -> bulk.WriteCounts:
    """Store what a list says of events; the evidence found since stays while the factor does."""
    key = ["symbol", "ex_date", "kind", "purpose"]
    named = _under_new_names(events)
    said = named.assign(purpose=named["purpose"].fillna("").str.slice(0, 300))
    stored = query_frame(
        "SELECT symbol, ex_date, kind, purpose, factor AS factor_there, known_on AS known_there FROM corporate_actions"
        " WHERE status = 'official'",
        dates=("ex_date", "known_there"),
    ).astype({"factor_there": "float64"})
    beside = said.astype({"symbol": "str", "kind": "str", "purpose": "str"}).merge(
        stored.astype({"symbol": "str", "kind": "str", "purpose": "str"}), on=key, how="left"
    )
    same = beside["factor"].eq(beside["factor_there"]) | (beside["factor"].isna() & beside["factor_there"].isna())
    known = (same & beside["known_on"].eq(beside["known_there"])).to_numpy()
    return record_corporate_actions(said.loc[~known], run_id)


def _under_new_names(events: pd.DataFrame) -> pd.DataFrame:
    """Give events of shares that were renamed after the ex-date the symbol that owns the history; lists use either."""
    named = follow_renames(events, date_column="ex_date")
    return named.drop_duplicates(["symbol", "ex_date", "kind", "purpose"], keep="last")


def rename_corporate_actions(renames: pd.DataFrame, run_id: str) -> int:
    """Let the events of renamed shares (from_symbol, to_symbol, date) follow to the new symbols; return how many."""
    moved = 0
    for row in renames.to_dict("records"):
        new = row["to_symbol"]
        past = ("t.symbol = %s AND t.ex_date < %s", [row["from_symbol"], pd.Timestamp(row["date"]).date()])
        there = (
            " AND EXISTS (SELECT 1 FROM corporate_actions n WHERE n.symbol = %s"
            " AND (n.ex_date, n.kind, n.purpose) = (t.ex_date, t.kind, t.purpose))"
        )
        bulk.delete("corporate_actions", past[0] + there, [*past[1], new], run_id)
        bulk.keep_before_images("corporate_actions", *past, run_id)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE corporate_actions t SET symbol = %s WHERE " + past[0], [new, *past[1]])
            moved += cursor.rowcount
    return moved


def remove_corporate_actions(events: pd.DataFrame, run_id: str) -> int:
    """Delete events (symbol, ex_date, kind, purpose), keeping images; return how many there were."""
    return sum(
        bulk.delete(
            "corporate_actions",
            "t.symbol = %s AND t.ex_date = %s AND t.kind = %s AND t.purpose = %s",
            [row["symbol"], row["ex_date"].date(), row["kind"], row["purpose"]],
            run_id,
        )
        for row in events.to_dict("records")
    )


def record_quotes(quotes: pd.DataFrame) -> int:
    """Store quotes (symbol, at, last_price in ₹, volume, source), each moment once; return how many are new."""
    rows = [
        Quote(**{str(name): value for name, value in row.items()})
        for row in quotes.rename(columns={"symbol": "symbol_id"}).to_dict("records")
    ]
    before = Quote.objects.count()
    Quote.objects.bulk_create(rows, ignore_conflicts=True, batch_size=2000)
    return Quote.objects.count() - before


def first_dates_of_events(run_id: str) -> dict[str, date]:
    """Return the symbols whose factors a run inserted or changed, with the first ex-date among them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT symbol, min(ex_date) FROM (SELECT symbol, ex_date, factor FROM corporate_actions WHERE run_id = %s"
            " UNION ALL SELECT r.symbol, r.ex_date, r.factor FROM run_undo u,"
            " jsonb_populate_record(NULL::corporate_actions, u.row_image) r"
            " WHERE u.run_id = %s AND u.table_name = 'corporate_actions') changed"
            " WHERE factor IS NOT NULL GROUP BY symbol ORDER BY symbol",
            [run_id, run_id],
        )
        return dict(cursor.fetchall())


def record_rejected(rejects: pd.DataFrame, run_id: str) -> int:
    """Keep rows aside that were not taken: columns symbol, date, reason, raw, source."""
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
    """Keep findings of a session.

    Parameters
    ----------
    findings : sequence of dict
        Fields of :class:`Finding` other than run and session.
    """
    return len(
        Finding.objects.bulk_create([Finding(run_id=run_id, session=session, **finding) for finding in findings])
    )


def remove_findings(check_name: str, sessions: Sequence[date], run_id: str) -> int:
    """Delete what a check found on some sessions, keeping images of other runs' findings; return how many."""
    return bulk.delete("findings", "t.check_name = %s AND t.session = ANY(%s)", [check_name, list(sessions)], run_id)


def replace_findings(
    run_id: str, session: date | None, checks: Iterable[str], findings: Sequence[dict[str, Any]]
) -> int:
    """Keep what checks found on a session in place of what they found before, whoever ran them; return how many.

    A check that found the same again keeps its rows as they are; of rows that go, images are kept.

    Parameters
    ----------
    checks
        Names of all checks that ran, those that found nothing among them.
    findings
        As for `record_findings`.
    """
    names = {*checks, *(finding["check_name"] for finding in findings)}
    stored = _by_check(Finding.objects.filter(session=session, check_name__in=names).order_by("id").values(*_FOUND))
    found = _by_check(findings)
    changed = sorted(name for name in names if stored.get(name) != found.get(name))
    bulk.delete("findings", "t.check_name = ANY(%s) AND t.session IS NOT DISTINCT FROM %s", [changed, session], run_id)
    record_findings(run_id, session, [one for one in findings if one["check_name"] in changed])
    return len(findings)


def _by_check(findings: Iterable[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the content of findings as text, in order, by check."""
    contents: dict[str, list[str]] = {}
    for finding in findings:
        full = _EMPTY | {name: value for name, value in finding.items() if name in _FOUND}
        contents.setdefault(finding["check_name"], []).append(json.dumps(full, sort_keys=True, default=str))
    return {name: sorted(lines) for name, lines in contents.items()}


def record_same_content(session: date, name: str, size: int, mtime_ns: int) -> None:
    """Note under which name, size and time a session's unchanged content lies now."""
    SourceFile.objects.filter(session=session).update(name=name, size=size, mtime_ns=mtime_ns)


def record_total(table: str, added: int, latest: date | None = None) -> None:
    """Add to the total of a table, so that no page has to count it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO table_totals AS t (table_name, rows, symbols, latest_date, updated_at)"
            " VALUES (%s, %s, 0, %s, now())"
            " ON CONFLICT (table_name) DO UPDATE SET rows = t.rows + EXCLUDED.rows,"
            " latest_date = greatest(t.latest_date, EXCLUDED.latest_date), updated_at = now()",
            [table, added, latest],
        )


def recount(table: str) -> None:
    """Count a table anew, after a roll back; an empty one has no total, as before its first row."""
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(
                "UPDATE table_totals SET rows = (SELECT count(*) FROM {table}),"
                " latest_date = (SELECT max(date) FROM {table}), updated_at = now() WHERE table_name = %s"
            ).format(table=sql.Identifier(table)),
            [table],
        )
        cursor.execute("DELETE FROM table_totals WHERE table_name = %s AND rows = 0", [table])


def _delete_missing(one: ReadSession, run_id: str) -> int:
    symbols = one.bars["symbol"].astype(str).tolist()
    gone = ("t.date = %s AND NOT t.symbol = ANY(%s)", [one.session, symbols], run_id)
    record_total("technical_indicators", -bulk.delete("technical_indicators", *gone))
    return bulk.delete("historical_data", *gone)


def _record_files(read: Sequence[ReadSession], run_id: str, *, first_time: bool) -> None:
    facts: list[dict[str, Any]] = [
        {
            "session": one.session,
            "name": one.file.name,
            "size": one.file.size,
            "mtime_ns": one.file.mtime_ns,
            "sha256": one.file.sha256,
            "rows": len(one.bars),
            "rejected": len(one.rejects),
        }
        for one in read
    ]
    if first_time:
        # One statement; staging would take an evening longer than its bars do.
        SourceFile.objects.bulk_create(SourceFile(**one, run_id=run_id) for one in facts)
        return
    files = pd.DataFrame(facts)
    bulk.upsert("source_files", files.assign(session=pd.to_datetime(files["session"])), ("session",), run_id)
