"""Each kind's checks of rows against each other and against what is stored, and its writer.

The checks return errors; nothing here repairs a row. All writing goes through the writer modules, so that before-images
are kept and a run of `import_csv` can be rolled back like any other.
"""

from datetime import date, datetime
from typing import Any, Final

import numpy as np
import pandas as pd
from django.db import connection
from django.utils import timezone
from psycopg import sql

from market_data import phase_records, trading_calendar
from market_data.calendar_sources import FEWEST_HOLIDAYS, listed_years
from market_data.imports.parsing import RowError, display_text
from market_data.models import DailyBar, MarketDay, SourceFile
from market_data.prices import adjustments
from market_data.prices.bars import BAR_COLUMNS, as_bar_frame, checked_bars
from market_data.storage import queries
from market_data.storage import writer as market_writer
from stocks.fundamentals import writer as fundamentals_writer
from stocks.fundamentals.files import QUARTER_DELAY_DAYS, STATEMENT_FIGURES, YEAR_DELAY_DAYS
from stocks.models import Stock
from stocks.storage.bulk import WriteCounts
from stocks.storage.file_contents import LINE
from stocks.storage.frames import query_frame
from stocks.units import count_text
from stocks.universe import writer as universe_writer
from stocks.universe.symbols import follow_renames

SOURCE: Final = "import:"
EPS_COLUMNS: Final = ("eps_quarter", "eps_quarter_last_year", "eps_last_year")
PROFIT_COLUMNS: Final = ("net_profit_quarter", "net_profit_quarter_last_year")
SALES_COLUMNS: Final = ("sales_quarter", "sales_quarter_last_year")
_PRICES = ("open", "high", "low", "close")
_SYMBOLS_NAMED: Final = 10
_COMPARED = (*_PRICES, "volume")
_BAR_FIGURES = (*_COMPARED, "prev_close", "last_price", "vwap", "turnover_lakh", "trades", "delivered_quantity")


def source_of(name: str, max_length: int = 60) -> str:
    """Return the stored source of rows imported from a file."""
    return f"{SOURCE}{name}"[:max_length]


def no_errors(rows: pd.DataFrame, now: datetime) -> list[RowError]:
    """Return no error, for a kind whose cells are all there is to check."""
    return []


def no_note(rows: pd.DataFrame) -> str:
    """Return no note, for a kind whose rows mean no more than themselves."""
    return ""


def new_stocks_note(rows: pd.DataFrame) -> str:
    """Return which symbols are of no stock yet: the import makes one of each, of a mistyped one too."""
    return _strangers_note(rows, "the import makes a new stock of each")


def no_stocks_note(rows: pd.DataFrame) -> str:
    """Return which symbols are of no stock: their figures are stored, and used once a share trades under them."""
    return _strangers_note(rows, "the figures are stored and used once a share trades under that symbol")


def _strangers_note(rows: pd.DataFrame, meaning: str) -> str:
    dated = rows if "date" in rows else rows.assign(date=pd.Timestamp.max.normalize())
    symbols = sorted(set(follow_renames(dated)["symbol"]))
    known = set(Stock.objects.filter(symbol__in=symbols).values_list("symbol", flat=True))
    strangers = [symbol for symbol in symbols if symbol not in known]
    if not strangers:
        return ""
    named = ", ".join(strangers[:_SYMBOLS_NAMED]) + (" …" if len(strangers) > _SYMBOLS_NAMED else "")
    amount = "1 symbol is" if len(strangers) == 1 else f"{count_text(len(strangers))} symbols are"
    return f"{amount} of no stock so far ({named}): {meaning}. Look for misspellings before you import."


# --- bars -----------------------------------------------------------------------------------------------------------
def check_bars(rows: pd.DataFrame, now: datetime) -> list[RowError]:
    """Return errors of bars: inconsistent figures, dates that are not loaded sessions, conflicts with stored bars."""
    return [*_inconsistent_bars(rows), *_bars_outside_sessions(rows, now), *_conflicting_bars(rows)]


def _inconsistent_bars(rows: pd.DataFrame) -> list[RowError]:
    _, rejects = checked_bars(_bar_frame(rows))
    rejected = rejects.merge(rows[["symbol", "date", LINE, *_COMPARED]], on=["symbol", "date"])
    return [
        RowError(
            int(row[LINE]), _column_of(row["reason"]), display_text([row[name] for name in _PRICES]), row["reason"]
        )
        for row in rejected.to_dict("records")
    ]


def _column_of(reason: str) -> str:
    """Return the column that a reason of `checked_bars` starts with; all four prices if it names none."""
    word = reason.split(" ")[0]
    return word if word in _COMPARED else ", ".join(_PRICES)


def _bars_outside_sessions(rows: pd.DataFrame, now: datetime) -> list[RowError]:
    """Return errors of bars whose date is not a session, or later than the latest one loaded."""
    if rows.empty:
        return []
    latest, limit = _latest_allowed(now)
    days = {stamp.date() for stamp in rows["date"].unique()}
    past = {day for day in days if day <= latest}
    sessions = set(trading_calendar.sessions_between(min(past), max(past))) if past else set()
    reasons = dict.fromkeys(days - past, f"is later than {latest}, {limit}")
    reasons |= {day: f"is no session in the exchange's calendar ({day:%A})" for day in past - sessions}
    return [
        RowError(int(row[LINE]), "date", display_text(row["date"]), reasons[row["date"].date()])
        for row in rows[["date", LINE]].to_dict("records")
        if row["date"].date() in reasons
    ]


def _latest_allowed(now: datetime) -> tuple[date, str]:
    loaded = queries.latest_loaded_session()
    if loaded is not None:
        return loaded, "the latest session loaded; the job pipeline loads later ones"
    return trading_calendar.latest_completed_session(now), "the latest completed session"


def _conflicting_bars(rows: pd.DataFrame) -> list[RowError]:
    """Return errors of bars that differ from a stored one that was not imported; that one would stay."""
    both = rows.merge(_stored_bars(rows), on=["symbol", "date"], suffixes=("", "_stored"))
    errors = []
    for row in both[~both["source"].str.startswith(SOURCE)].to_dict("records"):
        column = next((name for name in _BAR_FIGURES if _differs(row[name], row[f"{name}_stored"])), None)
        if column:
            stored = display_text(row[f"{column}_stored"])
            reason = f"is {stored} in {row['source']}, which an import does not replace"
            errors.append(RowError(int(row[LINE]), column, display_text(row[column]), reason))
    return errors


def _differs(given: Any, stored: Any) -> bool:
    """Whether a figure that a file gives is not the stored one."""
    return not pd.isna(given) and (pd.isna(stored) or float(given) != float(stored))


def _stored_bars(rows: pd.DataFrame) -> pd.DataFrame:
    if rows.empty:
        return pd.DataFrame(columns=["symbol", "date", *_BAR_FIGURES, "source"])
    span = [rows["date"].min().date(), rows["date"].max().date()]
    stored = query_frame(
        f"SELECT symbol, date, {', '.join(_BAR_FIGURES)}, source FROM historical_data"
        " WHERE symbol = ANY(%s) AND date BETWEEN %s AND %s",
        [rows["symbol"].unique().tolist(), *span],
        dates=("date",),
    )
    return stored.astype(dict.fromkeys(_BAR_FIGURES, "float64") | {"symbol": "object", "source": "object"})


def _bar_frame(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(series=rows["series"].fillna("EQ"))[list(BAR_COLUMNS)]


def record_bars(rows: pd.DataFrame, name: str, run_id: str) -> WriteCounts:
    """Store bars, adding their symbols to `stocks` first; adjusted closes follow the stored events.

    What is stored already, or was not brought by an import, stays as it is, its source included.
    """
    key = ["symbol", "date"]
    rows = follow_renames(_bar_frame(rows).assign(status=rows["status"].fillna(DailyBar.Status.FINAL.value)))
    stored = _stored_bars(rows)
    others = pd.MultiIndex.from_frame(stored.loc[~stored["source"].str.startswith(SOURCE), key])
    rows = rows[~pd.MultiIndex.from_frame(rows[key]).isin(others)]
    rows = _new_or_changed(rows, "historical_data", key, ["series", "status", *_BAR_FIGURES])
    if rows.empty:
        return WriteCounts(0, 0)
    bars, status = as_bar_frame(rows), rows.set_index(key)["status"]
    as_of: date = max(filter(None, (queries.latest_session(), bars["date"].max().date())))
    events = queries.events_frame(as_of, only_factors=True)
    adj_close = adjustments.adj_close(adjustments.adjusted(bars, events, as_of))
    universe_writer.record_traded_symbols(bars, run_id)
    bars = bars.assign(adj_close=adj_close.to_numpy(), source=source_of(name))
    bars["status"] = status.reindex(pd.MultiIndex.from_frame(bars[key])).to_numpy()
    return market_writer.record_imported_bars(bars, run_id)


# --- facts ----------------------------------------------------------------------------------------------------------
def check_statements(rows: pd.DataFrame, now: datetime) -> list[RowError]:
    """Return errors of statements without figures, of a future period, or published before their period ended."""
    today = pd.Timestamp(timezone.localtime(now).date())
    figures = [column for column in STATEMENT_FIGURES if column in rows]
    empty = rows[figures].isna().all(axis=1)
    early = rows["published_on"] < rows["period_end"]
    return [
        *_errors(rows, empty, "revenue", "no figure is given"),
        *_errors(rows, early, "published_on", "is before the end of the period"),
        *_errors(rows, rows["period_end"] > today, "period_end", "is in the future"),
        *_errors(rows, rows["published_on"] > today, "published_on", "is in the future"),
    ]


def record_statements(rows: pd.DataFrame, name: str, run_id: str) -> WriteCounts:
    """Store statements, with the day of publication assumed where none is given."""
    delay = rows["kind"].map({"quarter": QUARTER_DELAY_DAYS, "year": YEAR_DELAY_DAYS})
    unknown = rows["published_on"].isna()
    published = rows["published_on"].where(~unknown, rows["period_end"] + pd.to_timedelta(delay, unit="D"))
    assumed = unknown | rows["published_assumed"].eq(True)
    frame = rows.drop(columns=LINE).assign(published_on=published, published_assumed=assumed)
    columns = ["published_on", "published_assumed", *STATEMENT_FIGURES]
    frame = _new_or_changed(frame, "financial_statements", ["symbol", "period_end", "kind"], columns)
    return fundamentals_writer.record_statements(frame.assign(source=source_of(name, 100)), run_id)


def check_fundamentals(rows: pd.DataFrame, now: datetime) -> list[RowError]:
    """Return errors of snapshots of a future evening or without figures."""
    figures = [column for column in fundamentals_writer.SNAPSHOT_FIGURES if column in rows]
    ahead = rows["snapshot"] > pd.Timestamp(timezone.localtime(now).date())
    empty = rows[figures].isna().all(axis=1)
    return [
        *_errors(rows, ahead, "snapshot", "is in the future"),
        *_errors(rows, empty, "market_cap", "no figure is given"),
    ]


def record_fundamentals(rows: pd.DataFrame, name: str, run_id: str) -> WriteCounts:
    """Store a screener's snapshots."""
    columns = list(fundamentals_writer.SNAPSHOT_COLUMNS)
    frame = _new_or_changed(rows, "fundamental_snapshots", ["snapshot", "symbol"], columns[2:-1])
    return fundamentals_writer.record_snapshots(frame.assign(source=source_of(name, 100))[columns], run_id)


def record_members(rows: pd.DataFrame, name: str, run_id: str) -> WriteCounts:
    """Store the details of an index's members, or of exported stocks: what is stored already keeps its source."""
    details = ["stock_name", "kind", "sector", "industry", "series", "isin"]
    no_sector = rows["sector"].isna()
    listed = rows.assign(
        kind=rows["kind"].fillna("share"),
        sector=rows["sector"].where(~no_sector, rows["industry"]),
        industry=rows["industry"].where(~no_sector, None),
    )
    listed = _new_or_changed(listed, "stocks", ["symbol"], details)
    sources = [source_of(name) + ("" if pd.isna(index) else f" ({index})") for index in listed["index"]]
    listed = listed[["symbol", *details]].assign(source=pd.Series(sources, dtype=object))
    return universe_writer.record_symbols(listed, run_id, queries.latest_session() or date.max)


def _new_or_changed(rows: pd.DataFrame, table: str, key: list[str], columns: list[str]) -> pd.DataFrame:
    """Return the rows that are not stored just so: the others keep what is known about where they came from.

    An empty text and NULL are the same.
    """
    names = sql.SQL(", ").join(map(sql.Identifier, [*key, *columns]))
    query = sql.SQL("SELECT {} FROM {} WHERE symbol = ANY(%s)").format(names, sql.Identifier(table))
    with connection.cursor() as cursor:
        cursor.execute(query, [rows["symbol"].unique().tolist()])
        stored = {tuple(map(_comparable, row)) for row in cursor.fetchall()}
    given = rows[[*key, *columns]].itertuples(index=False)
    return rows.loc[[tuple(map(_comparable, row)) not in stored for row in given]].reset_index(drop=True)


def _comparable(value: Any) -> Any:
    if value is None or pd.isna(value) or value == "":
        return None
    if isinstance(value, date):
        return pd.Timestamp(value)
    return float(value) if isinstance(value, int | float | np.number | np.bool_) else value


# --- the calendar ---------------------------------------------------------------------------------------------------
def check_market_days(rows: pd.DataFrame, now: datetime) -> list[RowError]:
    """Return errors of impossible days: a holiday with a session, closing before opening, bars without a session."""
    holiday = rows["kind"].eq(MarketDay.Kind.HOLIDAY) & rows["is_session"].eq(True)
    is_reversed = [
        opens is not None and closes is not None and closes <= opens
        for opens, closes in zip(rows["open"], rows["close"], strict=True)
    ]
    loaded = set(SourceFile.objects.values_list("session", flat=True))
    has_bars = rows["is_session"].eq(False) & rows["date"].isin([pd.Timestamp(day) for day in loaded])
    return [
        *_errors(rows, holiday, "is_session", "a holiday cannot be a session"),
        *_errors(rows, pd.Series(is_reversed, index=rows.index, dtype=bool), "close", "is not after open"),
        *_errors(rows, has_bars, "is_session", "bars of this day are stored: it was a session"),
    ]


def coverage_note(rows: pd.DataFrame) -> str:
    """Return which years the holidays among the rows cover, so that their other weekdays are sessions."""
    years = listed_years(rows.assign(date=[stamp.date() for stamp in rows["date"]]))
    if years:
        return f"Of {', '.join(map(str, years))} it lists all holidays: the other weekdays are sessions."
    return (
        "It speaks of its own days only: the whole list of a year's holidays names at least"
        f" {FEWEST_HOLIDAYS} on weekdays, half a year apart."
    )


def record_market_days(rows: pd.DataFrame, name: str, run_id: str) -> WriteCounts:
    days = rows.drop(columns=LINE).assign(date=[stamp.date() for stamp in rows["date"]])
    counts = trading_calendar.record_imported_days(days, name, run_id)
    return WriteCounts(counts.added, counts.changed)


def check_phases(rows: pd.DataFrame, now: datetime) -> list[RowError]:
    """Return errors of phases that overlap others, leave days out or end before they begin, with what is stored."""
    rules = phase_records.imported_rules(rows, "file")
    lines = dict(zip(rules, rows[LINE].astype(int), strict=True))
    errors = []
    for rule, reason in phase_records.faults_with(rules):
        # A stored row is at fault only because of the file: the row of the same phase that changes it.
        line = lines.get(rule) or next((lines[one] for one in rules if one.phase is rule.phase), lines[rules[0]])
        about = "" if rule in lines else f" (stored: {rule.phase} of {rule.shares} from {rule.first})"
        errors.append(RowError(line, "first", str(rule.first), f"{reason}{about}"))
    return errors


def record_phases(rows: pd.DataFrame, name: str, run_id: str) -> WriteCounts:
    return phase_records.record_phases(phase_records.imported_rules(rows, name), run_id)


def _errors(rows: pd.DataFrame, wrong: "pd.Series[bool]", column: str, reason: str) -> list[RowError]:
    records: list[dict[str, Any]] = rows.loc[wrong, [column, LINE]].to_dict("records")  # type: ignore[assignment]
    return [
        RowError(int(row[LINE]), column, "" if pd.isna(row[column]) else display_text(row[column]), reason)
        for row in records
    ]


def first_dates(rows: pd.DataFrame) -> dict[str, date]:
    """Return each symbol's first date among bars, under the symbols in use."""
    firsts = follow_renames(_bar_frame(rows)).groupby("symbol")["date"].min()
    return {str(symbol): day.date() for symbol, day in firsts.items()}
