"""Parser of the exchange's daily files: their names, their three layouts, and how a row becomes a bar.

Source of the layouts: the exchange's archive of reports for the cash market.

- full: ``sec_bhavdata_full_DDMMYYYY.csv``, turnover in ₹ lakh, with delivery;
- udiff: ``BhavCopy_NSE_CM_0_0_0_YYYYMMDD_F_0000.csv.zip`` (since July 2024), turnover in ₹, with ISIN;
- cm: ``cmDDMMMYYYYbhav.csv.zip`` (until July 2024), turnover in ₹, with ISIN.

Each may be a ``.csv`` or a ``.zip`` of one. Values are padded with blanks, ``-`` means unknown, a byte-order mark may
come first. Parsing is pure: bytes and a date in, frames out.
"""

import io
import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from market_data.prices.bars import (
    BAR_COLUMNS,
    MAX_QUANTITY,
    PRICE_COLUMNS,
    SERIES_ORDER,
    as_bar_frame,
    empty_rejects,
    first_of_series,
    joined_rejects,
    rejects_of,
)
from market_data.providers import RawBars, SourceUnreadable
from stocks.storage.file_contents import (
    FileUnreadable,
    decoded_text,
    file_bytes,
    plausible_dates,
    zip_contents,
)

_UNKNOWN = ["", "-", " ", " -", "- ", "NA", "nan"]
_NUMBERS = (*PRICE_COLUMNS, "volume", "turnover", "trades", "delivered_quantity")
_REMEDY = "Download the file again from the exchange's archive."


TRADED_SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("date", pa.timestamp("ns")),
        ("series", pa.string()),
        *((column, pa.float64()) for column in ("open", "high", "low", "last_price")),
        ("isin", pa.string()),
    ]
)

_TRADED = frozenset(TRADED_SCHEMA.names) - {"date"}


@dataclass(frozen=True)
class Layout:
    """One layout of the daily file.

    - pattern: matches the file's name without ``.zip``; its first group is the date;
    - day_format, row_day_format: date formats of the name and of the rows;
    - columns: the file's column → the bar frame's; ``turnover`` is in units of ``turnover_unit`` rupees;
    - optional: bar columns the file may leave out.
    """

    name: str
    pattern: re.Pattern[str]
    day_format: str
    row_day_format: str
    columns: dict[str, str]
    turnover_unit: float
    optional: frozenset[str] = frozenset()


FULL = Layout(
    "full",
    re.compile(r"sec_bhavdata_full_(\d{8})\.csv", re.IGNORECASE),
    "%d%m%Y",
    "%d-%b-%Y",
    {
        "SYMBOL": "symbol",
        "SERIES": "series",
        "DATE1": "date",
        "PREV_CLOSE": "prev_close",
        "OPEN_PRICE": "open",
        "HIGH_PRICE": "high",
        "LOW_PRICE": "low",
        "LAST_PRICE": "last_price",
        "CLOSE_PRICE": "close",
        "AVG_PRICE": "vwap",
        "TTL_TRD_QNTY": "volume",
        "TURNOVER_LACS": "turnover",
        "NO_OF_TRADES": "trades",
        "DELIV_QTY": "delivered_quantity",
    },
    turnover_unit=100_000.0,
    optional=frozenset({"last_price", "vwap", "trades", "delivered_quantity"}),
)
UDIFF = Layout(
    "udiff",
    re.compile(r"BhavCopy_NSE_CM_0_0_0_(\d{8})_F_0000\.csv", re.IGNORECASE),
    "%Y%m%d",
    "%Y-%m-%d",
    {
        "TckrSymb": "symbol",
        "SctySrs": "series",
        "TradDt": "date",
        "PrvsClsgPric": "prev_close",
        "OpnPric": "open",
        "HghPric": "high",
        "LwPric": "low",
        "LastPric": "last_price",
        "ClsPric": "close",
        "TtlTradgVol": "volume",
        "TtlTrfVal": "turnover",
        "TtlNbOfTxsExctd": "trades",
        "ISIN": "isin",
    },
    turnover_unit=1.0,
    optional=frozenset({"last_price", "trades", "isin"}),
)
CM = Layout(
    "cm",
    re.compile(r"cm(\d{2}[A-Z]{3}\d{4})bhav\.csv", re.IGNORECASE),
    "%d%b%Y",
    "%d-%b-%Y",
    {
        "SYMBOL": "symbol",
        "SERIES": "series",
        "TIMESTAMP": "date",
        "PREVCLOSE": "prev_close",
        "OPEN": "open",
        "HIGH": "high",
        "LOW": "low",
        "LAST": "last_price",
        "CLOSE": "close",
        "TOTTRDQTY": "volume",
        "TOTTRDVAL": "turnover",
        "TOTALTRADES": "trades",
        "ISIN": "isin",
    },
    turnover_unit=1.0,
    optional=frozenset({"last_price", "trades", "isin"}),
)
LAYOUTS = (FULL, UDIFF, CM)
"""In order of preference for a date with several files: only the first one has deliveries."""


def layout_of(name: str) -> tuple[Layout, date] | None:
    """Return the layout and the date of a daily file from its name, with or without ``.zip``.

    None for any other file, and for a date that does not exist.
    """
    plain = name[:-4] if name.lower().endswith(".zip") else name
    for layout in LAYOUTS:
        match = layout.pattern.fullmatch(plain)
        if match:
            try:
                return layout, datetime.strptime(match[1].title(), layout.day_format).date()
            except ValueError:
                return None
    return None


def misdated(path: Path, days: Collection[date]) -> str:
    """Return the sentence about a file that holds other days than its name says."""
    dates = ", ".join(f"{day:%Y-%m-%d}" for day in sorted(days)[:3]) or "no date"
    named = layout_of(path.name)
    return f"{path.name} holds {dates} although its name says {named[1] if named else 'otherwise'}"


def content_of(path: Path) -> bytes:
    """Return the content of a file, or of the single csv in a zip, within a size limit.

    Raises SourceUnreadable when the file is missing or unreadable, or the zip is damaged, encrypted, too large when
    unpacked, or does not hold exactly one csv.
    """
    try:
        content = file_bytes(path)
        return zip_contents(content, path.name) if path.suffix.lower() == ".zip" else content
    except FileUnreadable as error:
        raise SourceUnreadable(f"{error} {_REMEDY}") from error


def parsed_bars(content: bytes, *, name: str, layout: Layout, session: date) -> RawBars:
    """Return the bars in an unpacked daily file; rows of another date than the session in its name are rejected.

    ``len(frame) + len(rejects) + sum(out_of_scope)`` is the number of lines after the header. Raises SourceUnreadable
    when the file is empty, truncated, HTML, of another layout, or entirely of another date.
    """
    text = _plain_csv(content, name)
    table, malformed = _table(text, layout, name)
    rows, unreadable = _rows(table, layout)
    _check_day(rows, session, name)
    shares = rows["series"].isin(SERIES_ORDER).to_numpy()
    outside = rows["series"].to_numpy()[~shares]
    if len(outside):
        rows, unreadable = rows[shares], unreadable[shares]
    wrong_day = rows["date"].ne(pd.Timestamp(session)).to_numpy() & ~unreadable
    rejects = [malformed]
    if unreadable.any() or wrong_day.any():
        rejects.append(rejects_of(rows[unreadable], "a number is missing or unreadable"))
        rejects.append(rejects_of(rows[wrong_day], f"date is not {session:%Y-%m-%d}"))
        rows = rows[~unreadable & ~wrong_day]
    kept, lower = first_of_series(rows)
    return RawBars(
        frame=as_bar_frame(kept),
        rejects=joined_rejects(*rejects, lower),
        source=f"nse_archive:{layout.name}",
        out_of_scope=dict(sorted(Counter(map(str, outside)).items())),
    )


def days_in(content: bytes, *, name: str, layout: Layout) -> set[date]:
    """Return the days of a file's rows; raises SourceUnreadable as ``parsed_bars`` does."""
    table, _ = _table(_plain_csv(content, name), layout, name, {"date"})
    dates = _dates(pd.Series(_texts(table["date"])), layout.row_day_format)
    return {pd.Timestamp(day).date() for day in dates.dropna().unique()}


def traded_prices(content: bytes, *, name: str, layout: Layout, session: date) -> pa.Table:
    """Return only who traded at which prices, to tell shares from funds; many times faster than ``parsed_bars``.

    symbol, date (the session), series, open, high, low, last_price, isin (null where the layout has none); the rows of
    all series, texts not trimmed. Raises SourceUnreadable as ``parsed_bars`` does.
    """
    table, _ = _table(_plain_csv(content, name), layout, name, _TRADED)
    day = np.full(table.num_rows, np.datetime64(session, "ns"))
    table = table.append_column("date", pa.array(day))
    for place, column in enumerate(table.column_names):
        if column in _NUMBERS and not pa.types.is_floating(table[column].type):
            table = table.set_column(place, column, pa.array(_numbers(table[column])[0]))
    for column in ("last_price", "isin"):
        if column not in table.column_names:
            table = table.append_column(column, pa.nulls(table.num_rows))
    return table.select(TRADED_SCHEMA.names).cast(TRADED_SCHEMA)


def _plain_csv(content: bytes, name: str) -> bytes:
    """Return the text from the header on, and refuse what is no table."""
    try:
        return decoded_text(content, name).encode()
    except FileUnreadable as error:
        raise SourceUnreadable(f"{error} {_REMEDY}") from error


def _table(text: bytes, layout: Layout, name: str, only: Collection[str] = ()) -> tuple[pa.Table, pd.DataFrame]:
    """Parse the csv into Arrow columns; lines with another number of fields are rejected."""
    first, _, rest = text.partition(b"\n")
    header = [column.strip().strip('"').strip() for column in first.decode().split(",")]
    _check_complete(header, rest, layout, name)
    columns = [column or f"_{place}" for place, column in enumerate(header)]
    malformed: list[tuple[str, None, str, str]] = []

    def reject(row: pyarrow.csv.InvalidRow) -> str:
        reason = f"line has {row.actual_columns} fields instead of {row.expected_columns}"
        malformed.append((row.text.split(",")[0].strip(), None, reason, row.text))
        return "skip"

    read = [column for column in columns if column in layout.columns and (not only or layout.columns[column] in only)]
    for numbers in (pa.float64(), pa.string()):
        kinds = {column: numbers if layout.columns[column] in _NUMBERS else pa.string() for column in read}
        malformed.clear()
        try:
            table = pyarrow.csv.read_csv(
                io.BytesIO(rest),
                read_options=pyarrow.csv.ReadOptions(column_names=columns, use_threads=False),
                parse_options=pyarrow.csv.ParseOptions(invalid_row_handler=reject),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types=kinds, include_columns=read, null_values=_UNKNOWN, strings_can_be_null=False
                ),
            )
        except pa.ArrowInvalid:
            continue  # some number is no number: read all as text, then line by line
        rejects = pd.DataFrame.from_records(malformed, columns=list(empty_rejects().columns))
        return table.rename_columns([layout.columns[column] for column in table.column_names]), rejects
    raise SourceUnreadable(f"{name} is not a readable csv file. {_REMEDY}")


def _check_complete(header: list[str], rest: bytes, layout: Layout, name: str) -> None:
    missing = [
        column for column, name in layout.columns.items() if column not in header and name not in layout.optional
    ]
    if missing:
        raise SourceUnreadable(
            f"{name} lacks the columns {', '.join(missing)} of its layout; it has {', '.join(header)[:200]}. {_REMEDY}"
        )
    doubled = sorted({column for column in header if column in layout.columns and header.count(column) > 1})
    if doubled:
        raise SourceUnreadable(f"{name} names the column {doubled[0]} twice. {_REMEDY}")
    last = rest.rstrip().rpartition(b"\n")[2]
    if not last:
        raise SourceUnreadable(f"{name} has a header and no rows. {_REMEDY}")
    if last.count(b",") < len(header) - 1:
        raise SourceUnreadable(f"{name} ends in the middle of a line: {last.decode()[:80]!r}. {_REMEDY}")


def _rows(table: pa.Table, layout: Layout) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the bar frame, and a mask of the rows with an unreadable or missing number."""
    columns: dict[str, object] = {}
    unreadable = np.zeros(table.num_rows, dtype=bool)
    for column in table.column_names:
        values = table[column]
        if column in _NUMBERS and pa.types.is_floating(values.type):
            columns[column] = values.to_numpy()
        elif column in _NUMBERS:
            columns[column], invalid = _numbers(values)
            unreadable |= invalid
        else:
            columns[column] = _texts(values)
    rows = pd.DataFrame(columns)
    rows["date"] = _dates(rows["date"], layout.row_day_format)
    for column in BAR_COLUMNS:
        if column not in rows and column != "turnover_lakh":
            rows[column] = None if column == "isin" else np.nan
    unreadable |= rows["volume"].isna().to_numpy()
    for column in ("volume", "trades", "delivered_quantity"):
        # NaN passes: unknown is not unreadable.
        whole = rows[column].between(0, MAX_QUANTITY) & (rows[column] == np.floor(rows[column]))
        unreadable |= ~(rows[column].isna() | whole).to_numpy()
    rows["turnover_lakh"] = rows.pop("turnover") * (layout.turnover_unit / 100_000.0)
    rows["isin"] = rows["isin"].where(rows["isin"].notna() & rows["isin"].ne(""), None)
    return rows[list(BAR_COLUMNS)], unreadable


def _numbers(values: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers in a text column, and a mask of texts that are neither a number nor a mark of absence."""
    text = pd.Series(pc.utf8_trim_whitespace(values).to_pandas(), dtype="object")
    absent = text.isin(_UNKNOWN)
    number = pd.to_numeric(text.where(~absent), errors="coerce").to_numpy(dtype="float64")
    return number, np.isnan(number) & ~absent.to_numpy()


def _texts(values: pa.ChunkedArray) -> np.ndarray:
    """Return trimmed texts as Python objects that equal texts share."""
    encoded = pc.utf8_trim_whitespace(values).dictionary_encode().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = pa.concat_arrays(encoded.unify_dictionaries().chunks)
    distinct = np.array(encoded.dictionary.to_pylist(), dtype=object)
    texts: np.ndarray = distinct[encoded.indices.to_numpy()]
    return texts


def _dates(text: "pd.Series", day_format: str) -> "pd.Series":
    """Return dates, parsing each distinct text once; anything else becomes NaT."""
    dates = {word: pd.to_datetime(word.title(), format=day_format, errors="coerce") for word in text.unique()}
    return plausible_dates(text.map(dates).astype("datetime64[us]"))


def _check_day(rows: pd.DataFrame, session: date, name: str) -> None:
    """Refuse a file that is entirely of another day: it was misnamed, and none of its rows can be trusted."""
    if rows["date"].eq(pd.Timestamp(session)).any():
        return
    days = [pd.Timestamp(day).date() for day in rows["date"].dropna().unique()]
    raise SourceUnreadable(f"{misdated(Path(name), days)}. {_REMEDY}")
