"""Each kind's checks of rows against each other and against what is stored, and its writer.

The checks return errors; nothing here repairs a row. All writing goes through the writer modules, so that before-images
are kept and a run of `import_csv` can be rolled back like any other.
"""

from datetime import date, datetime
from typing import Any, Final

import pandas as pd
from django.utils import timezone

from market_data import trading_calendar
from market_data.imports.parsing import RowError, display_text
from market_data.models import MarketDay, SourceFile
from market_data.prices import adjustments
from market_data.prices.bars import BAR_COLUMNS, as_bar_frame, checked_bars
from market_data.storage import queries
from market_data.storage import writer as market_writer
from stocks.fundamentals import writer as fundamentals_writer
from stocks.fundamentals.files import QUARTER_DELAY_DAYS, STATEMENT_FIGURES, YEAR_DELAY_DAYS
from stocks.storage.bulk import WriteCounts
from stocks.storage.file_contents import LINE
from stocks.storage.frames import query_frame
from stocks.universe import writer as universe_writer
from stocks.universe.symbols import follow_renames

SOURCE: Final = "import:"
EPS_COLUMNS: Final = ("eps_quarter", "eps_quarter_last_year", "eps_last_year")
PROFIT_COLUMNS: Final = ("net_profit_quarter", "net_profit_quarter_last_year")
SALES_COLUMNS: Final = ("sales_quarter", "sales_quarter_last_year")
_PRICES = ("open", "high", "low", "close")
_COMPARED = (*_PRICES, "volume")


def source_of(name: str, max_length: int = 60) -> str:
    """Return the stored source of rows imported from a file."""
    return f"{SOURCE}{name}"[:max_length]


def no_errors(rows: pd.DataFrame, now: datetime) -> list[RowError]:
    """Return no error, for a kind whose cells are all there is to check."""
    return []


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
    for row in both.loc[~both["source"].str.startswith(SOURCE)].to_dict("records"):
        column = next((name for name in _COMPARED if float(row[name]) != float(row[f"{name}_stored"])), None)
        if column:
            stored = display_text(row[f"{column}_stored"])
            reason = f"is {stored} in {row['source']}, which an import does not replace"
            errors.append(RowError(int(row[LINE]), column, display_text(row[column]), reason))
    return errors


def _stored_bars(rows: pd.DataFrame) -> pd.DataFrame:
    if rows.empty:
        return pd.DataFrame(columns=["symbol", "date", *_COMPARED, "source"])
    span = [rows["date"].min().date(), rows["date"].max().date()]
    stored = query_frame(
        "SELECT symbol, date, open, high, low, close, volume, source FROM historical_data"
        " WHERE symbol = ANY(%s) AND date BETWEEN %s AND %s",
        [rows["symbol"].unique().tolist(), *span],
        dates=("date",),
    )
    return stored.astype(dict.fromkeys(_COMPARED, "float64") | {"symbol": "object", "source": "object"})


def _bar_frame(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(series=rows["series"].fillna("EQ")).loc[:, list(BAR_COLUMNS)]


def record_bars(rows: pd.DataFrame, name: str, run_id: str) -> WriteCounts:
    """Store bars, adding their symbols to `stocks` first; adjusted closes follow the stored events."""
    bars = as_bar_frame(follow_renames(_bar_frame(rows)))
    as_of: date = max(filter(None, (queries.latest_session(), bars["date"].max().date())))
    events = queries.events_frame(as_of, only_factors=True)
    adj_close = adjustments.adj_close(adjustments.adjusted(bars, events, as_of))
    universe_writer.record_traded_symbols(bars, run_id)
    bars = bars.assign(adj_close=adj_close.to_numpy(), source=source_of(name))
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
    assumed = rows["published_on"].isna()
    published = rows["published_on"].where(~assumed, rows["period_end"] + pd.to_timedelta(delay, unit="D"))
    frame = rows.drop(columns=LINE).assign(
        published_on=published, published_assumed=assumed, source=source_of(name, 100)
    )
    return fundamentals_writer.record_statements(frame, run_id)


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
    frame = rows.drop(columns=LINE).assign(source=source_of(name, 100))
    return fundamentals_writer.record_snapshots(frame[list(fundamentals_writer.SNAPSHOT_COLUMNS)], run_id)


def record_members(rows: pd.DataFrame, name: str, run_id: str) -> WriteCounts:
    """Store the details of an index's members."""
    listed = rows.drop(columns=LINE).rename(columns={"industry": "sector"})
    listed = listed.assign(kind="share", source=source_of(name) + " (" + listed["index"] + ")").drop(columns="index")
    return universe_writer.record_symbols(listed, run_id, queries.latest_session() or date.max)


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


def record_market_days(rows: pd.DataFrame, name: str, run_id: str) -> WriteCounts:
    days = rows.drop(columns=LINE).assign(date=[stamp.date() for stamp in rows["date"]])
    counts = trading_calendar.record_imported_days(days, name, run_id)
    return WriteCounts(counts.added, counts.changed)


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
