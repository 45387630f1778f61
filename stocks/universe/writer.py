"""The only writer of `stocks`, `symbol_changes` and `exchange_facts` (metrics: `fundamentals.metrics_writer`).

Each `record_*` runs inside the caller's transaction and may run twice with the same result. A known value is never
replaced by an unknown one. A rename changes the symbol of existing rows, whose before-images bring the old symbol back
when the run is rolled back.
"""

import json
from collections.abc import Collection
from datetime import date
from typing import Any

import pandas as pd
from django.db import connection
from django.db.models import Max, Q
from psycopg import sql

from stocks.models import Stock
from stocks.storage import bulk
from stocks.storage.bulk import WriteCounts
from stocks.storage.frames import query_frame
from stocks.storage.symbol_scan import NAMES
from stocks.universe.sectors import exchange_spelling
from stocks.universe.symbols import current_symbols, successors

_LISTED = ("stock_name", "isin", "series", "kind", "face_value", "listed_on", "sector", "industry")
_TRACED = ("stock_name", "isin", "face_value", "listed_on", "sector", "industry")
# Tables whose rows follow a rename. By name: the models of bars and indicators are in an app above this one.
_HISTORY = ("historical_data", "technical_indicators", "stock_metrics")
FACT_COLUMNS = ("symbol", "date", "issue_size", "market_cap", "pe_ratio", "source")
_TRADED = ("symbol", "first_seen", "last_seen", "series", "isin", "provenance")


def record_symbols(listed: pd.DataFrame, run_id: str, as_of: date, *, simulated: bool = False) -> WriteCounts:
    """Record the symbols of a list: names, ISIN, sector, and whether they are shares or funds.

    Parameters
    ----------
    listed
        symbol, source, and any of stock_name, series, isin, face_value, listed_on, kind, sector, industry; one row a
        symbol.
    as_of
        Day of the list. A list older than the latest session in the database only fills what is unknown. Symbols
        that were renamed are skipped: lists keep naming them for a while.
    simulated
        Whether the list is of a simulated market: provenance then says so instead of measured.
    """
    latest = Stock.objects.exclude(last_seen=None).aggregate(latest=Max("last_seen"))["latest"]
    in_use = listed[~listed["symbol"].isin(successors(date.max))]
    only_fill = latest is not None and as_of < latest
    how = "simulated" if simulated else "measured"
    return _record_listed(in_use, run_id, as_of, only_fill=only_fill, how=how)


def _record_listed(
    listed: pd.DataFrame, run_id: str, as_of: date, *, only_fill: bool, how: str = "measured"
) -> WriteCounts:
    if listed.empty:
        return WriteCounts(0, 0)
    fresh = listed.drop_duplicates("symbol").set_index("symbol").reindex(columns=[*_LISTED, "source"])
    fresh = fresh.astype(object).where(fresh.notna(), None)
    columns = ["symbol", *_LISTED, "kind_source", "provenance", "last_seen"]
    stored = pd.DataFrame(Stock.objects.filter(symbol__in=list(fresh.index)).values(*columns))
    stored = stored.reindex(columns=columns).set_index("symbol")
    known = stored.astype(object).where(stored.notna(), None).to_dict("index")
    rows = [
        _listed_row(str(symbol), entry | {"how": how}, known.get(symbol, {}), as_of, only_fill)
        for symbol, entry in fresh.to_dict("index").items()
    ]
    frame = pd.DataFrame(rows).astype({"face_value": float})
    frame["listed_on"] = pd.to_datetime(frame["listed_on"])
    return bulk.upsert("stocks", frame, ("symbol",), run_id)


def _listed_row(
    symbol: str, entry: dict[Any, Any], known: dict[Any, Any], as_of: date, only_fill: bool
) -> dict[str, Any]:
    row: dict[str, Any] = {"symbol": symbol}
    provenance = dict(known.get("provenance") or {})
    for column in _LISTED:
        old, new = known.get(column), entry[column]
        # The series of a traded symbol comes from its bars.
        keep = new is None or (old is not None and (only_fill or (column == "series" and known.get("last_seen"))))
        row[column] = old if keep else new
        # A date of the list is a timestamp, and a date in the database.
        fresh = new.date() if isinstance(new, pd.Timestamp) else new
        if column in _TRACED and not keep and (old != fresh or column not in provenance):
            provenance[column] = {"source": entry["source"], "as_of": as_of.isoformat(), "how": entry["how"]}
    is_unsure = entry["kind"] in (None, "unknown")
    keep = is_unsure or (only_fill and known.get("kind") not in (None, "unknown"))
    row["kind"] = (known.get("kind") or "unknown") if keep else entry["kind"]
    row["kind_source"] = known.get("kind_source") if keep else str(entry["source"])[:60]
    return row | {"provenance": json.dumps(provenance, sort_keys=True)}


def fill_symbols_from_snapshots(session: date, run_id: str) -> WriteCounts:
    """Fill names, sectors and kinds that no list has from the newest snapshot: a screener shows shares only.

    Sectors get the exchange's spelling where it has the sector. Point in time: snapshots before the session.
    """
    frame = query_frame(
        sql.SQL(
            NAMES + "SELECT f.* FROM names n CROSS JOIN LATERAL (SELECT symbol, stock_name, sector, industry, source,"
            " snapshot FROM {table} WHERE symbol = n.symbol AND snapshot < %s ORDER BY snapshot DESC LIMIT 1) f"
            " ORDER BY f.symbol"
        ).format(table=sql.Identifier("fundamental_snapshots")),
        [session],
    )
    if frame.empty:
        return WriteCounts(0, 0)
    unknown = Q(stock_name=None) | Q(sector=None) | Q(industry=None) | Q(kind=Stock.Kind.UNKNOWN)
    complete = set(Stock.objects.exclude(unknown).values_list("symbol", flat=True))
    frame = current_symbols(frame, session).drop_duplicates("symbol")
    frame = frame[~frame["symbol"].isin(complete)].assign(kind="share")
    frame["sector"] = frame["sector"].map(exchange_spelling, na_action="ignore")
    return _record_listed(frame, run_id, session, only_fill=True)


def record_traded_symbols(bars: pd.DataFrame, run_id: str) -> WriteCounts:
    """Record each symbol of a bar frame with its first and last session and the series of the last one."""
    ordered = bars.sort_values("date", kind="stable")
    groups = ordered.groupby("symbol", sort=True)
    traded = pd.DataFrame(
        {"first_seen": groups["date"].min(), "last_seen": groups["date"].max(), "series": groups["series"].last()}
    )
    traded["isin"] = groups["isin"].last() if "isin" in ordered else None
    stored = pd.DataFrame(Stock.objects.filter(symbol__in=list(traded.index)).values(*_TRADED), columns=list(_TRADED))
    stored = stored.set_index("symbol").reindex(traded.index)
    for column in ("first_seen", "last_seen"):
        stored[column] = pd.to_datetime(stored[column]).astype(traded[column].dtype)
    # Not `<=`: where nothing is stored (NaT) the bars are the newer ones.
    is_newer, is_older = ~(stored["last_seen"] > traded["last_seen"]), ~(stored["first_seen"] < traded["first_seen"])
    for column in ("series", "isin"):
        traded[column] = traded[column].where(is_newer & traded[column].notna(), stored[column]).fillna(traded[column])
    traded["provenance"] = [
        json.dumps(value, sort_keys=True) if isinstance(value, dict) else "{}" for value in stored["provenance"]
    ]
    traded["first_seen"] = traded["first_seen"].where(is_older, stored["first_seen"])
    traded["last_seen"] = traded["last_seen"].where(is_newer, stored["last_seen"])
    return bulk.upsert("stocks", traded.reset_index(), ("symbol",), run_id)


def record_names(symbols: Collection[str], run_id: str) -> int:
    """Give symbols without a row one, so that they can be referred to; when they traded is not known by it."""
    known = set(Stock.objects.filter(symbol__in=symbols).values_list("symbol", flat=True))
    rows = pd.DataFrame({"symbol": sorted(set(symbols) - known)}).assign(provenance="{}")
    return bulk.upsert("stocks", rows, ("symbol",), run_id).inserted


def record_exchange_facts(facts: pd.DataFrame, session: date, run_id: str) -> WriteCounts:
    """Record the facts of a session's report pack: symbol, issue_size, market_cap_crores, pe_ratio, source."""
    rows = facts.rename(columns={"market_cap_crores": "market_cap"}).assign(date=pd.Timestamp(session))
    for column in ("issue_size", "market_cap", "pe_ratio"):
        values = pd.to_numeric(rows[column], errors="coerce").astype("Float64")
        # Neither a share count nor a price can be 0: the pack writes 0 for what it does not know.
        rows[column] = values.where(values != 0)
    rows["issue_size"] = rows["issue_size"].round().astype("Int64")
    rows = rows[["symbol", "date", "issue_size", "market_cap", "pe_ratio", "source"]].drop_duplicates("symbol")
    return bulk.upsert("exchange_facts", rows, ("symbol", "date"), run_id)


def facts_frame(as_of: date) -> pd.DataFrame:
    """Facts of report packs by a session: symbol, date, issue_size (shares), market_cap (₹ crore), pe_ratio, source.

    Point in time: packs of the session or before, under the symbols in use on it.
    """
    frame = query_frame(
        "SELECT symbol, date, issue_size, market_cap, pe_ratio, source FROM exchange_facts WHERE date <= %s"
        " ORDER BY symbol, date",
        [as_of],
        dates=("date",),
    )
    return typed_facts(frame, as_of)


def typed_facts(frame: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Facts of report packs with their dtypes and the symbols in use on a session."""
    typed = frame.astype({"issue_size": "Int64", "market_cap": float, "pe_ratio": float})
    return current_symbols(typed, as_of, key=("date",))


def isins() -> dict[str, str]:
    """Symbol → ISIN, where one is known."""
    known = Stock.objects.exclude(isin=None).values_list("symbol", "isin")
    return {symbol: isin for symbol, isin in known if isin}


def symbols_with_history() -> list[str]:
    """Symbols that own bars; a renamed symbol owns none any more."""
    return list(Stock.objects.exclude(first_seen=None).order_by("symbol").values_list("symbol", flat=True))


def symbols_traded_since(day: date) -> list[str]:
    """Symbols that own bars of a day or later."""
    return list(Stock.objects.filter(last_seen__gte=day).order_by("symbol").values_list("symbol", flat=True))


def first_sessions() -> "pd.Series[pd.Timestamp]":
    """First session of each symbol that has traded, indexed by symbol."""
    known = Stock.objects.exclude(first_seen=None).values_list("symbol", "first_seen")
    return pd.Series(dict(known), dtype=object)


def kinds() -> "pd.Series[str]":
    """Share, fund or unknown, indexed by symbol."""
    return pd.Series(dict(Stock.objects.values_list("symbol", "kind")), dtype=object)


def apply_renames(renames: pd.DataFrame, run_id: str) -> int:
    """Move the history of renamed shares to their new symbols, and record the renames.

    Renames have from_symbol, to_symbol, date (first session under the new symbol) and proof. Rows of the old symbol
    before the date move: whatever trades under it afterwards is another company. Its row in `stocks` is deleted unless
    such rows remain, after filling what the new symbol's row lacks. Before-images are kept of moved rows that the run
    did not insert itself. Return how many rows of bars, indicators and metrics moved.
    """
    ordered = renames.sort_values(["date", "from_symbol"], kind="stable")
    changes = ordered[["from_symbol", "to_symbol", "date", "proof"]].assign(evidence="{}")
    bulk.upsert("symbol_changes", changes, ("from_symbol", "date"), run_id)
    return sum(
        _move_history(str(row["from_symbol"]), str(row["to_symbol"]), pd.Timestamp(row["date"]).date(), run_id)
        for row in changes.to_dict("records")
    )


def _move_history(old: str, new: str, day: date, run_id: str) -> int:
    moved = 0
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO stocks (symbol, run_id, provenance) VALUES (%s, %s, '{}') ON CONFLICT (symbol) DO NOTHING",
            [new, run_id],
        )
        for table in _HISTORY:
            bulk.keep_before_images(table, "t.symbol = %s AND t.date < %s", [old, day], run_id)
            move = sql.SQL("UPDATE {} SET symbol = %s WHERE symbol = %s AND date < %s").format(sql.Identifier(table))
            cursor.execute(move, [new, old, day])
            moved += cursor.rowcount
        bulk.keep_before_images("stocks", "t.symbol = %s", [new], run_id)
        cursor.execute(
            "UPDATE stocks n SET first_seen = least(n.first_seen, o.first_seen),"
            " last_seen = greatest(n.last_seen, o.last_seen),"
            " kind = CASE WHEN n.kind = 'unknown' THEN o.kind ELSE n.kind END,"
            " kind_source = CASE WHEN n.kind = 'unknown' THEN o.kind_source ELSE n.kind_source END,"
            " provenance = o.provenance || n.provenance, stock_name = coalesce(n.stock_name, o.stock_name),"
            " isin = coalesce(n.isin, o.isin), series = coalesce(n.series, o.series),"
            " face_value = coalesce(n.face_value, o.face_value), listed_on = coalesce(n.listed_on, o.listed_on),"
            " sector = coalesce(n.sector, o.sector), industry = coalesce(n.industry, o.industry)"
            " FROM stocks o WHERE n.symbol = %s AND o.symbol = %s",
            [new, old],
        )
    _delete_without_history(old, run_id)
    return moved


def _delete_without_history(symbol: str, run_id: str) -> None:
    bulk.delete(
        "stocks",
        "t.symbol = %s AND NOT EXISTS (SELECT 1 FROM historical_data h WHERE h.symbol = t.symbol)"
        " AND NOT EXISTS (SELECT 1 FROM technical_indicators i WHERE i.symbol = t.symbol)"
        " AND NOT EXISTS (SELECT 1 FROM stock_metrics m WHERE m.symbol = t.symbol)",
        [symbol],
        run_id,
    )
