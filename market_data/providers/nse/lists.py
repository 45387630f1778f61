"""Readers of the exchange's lists: listed equities, index members, corporate actions, holidays, report packs.

Source of the layouts: the exchange's site (``EQUITY_L.csv``, ``ind_nifty500list.csv``, ``CF-CA-equities.csv``, the
holiday service's JSON) and the daily report pack (``mcap``, ``PE_``, ``bc``, ``pd``, ``series_change``). All are
optional: a reader returns an empty frame for a missing file. A line that cannot be a row of its list is skipped, and
`findings` reports it.
"""

import json
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path

import pandas as pd

from market_data.prices.bars import SERIES_ORDER
from market_data.providers import (
    CHANGE_COLUMNS,
    FACT_COLUMNS,
    MEMBER_COLUMNS,
    SourceCheck,
    SourceFinding,
    SourceUnreadable,
)
from stocks.storage import file_contents
from stocks.storage.file_contents import (
    ISIN,
    SYMBOL,
    FileUnreadable,
    RejectedLine,
    decoded_text,
    file_bytes,
    file_version,
    plausible_dates,
)

EQUITIES = "EQUITY_L.csv"
ACTIONS = "CF-CA-equities.csv"
INDEX_LISTS = {"ind_nifty50list.csv": "NIFTY 50", "ind_nifty500list.csv": "NIFTY 500"}
HOLIDAYS = "nse-holidays-*.json"
CHANGES = "symbolchange.csv"

RUPEES_A_CRORE = 10_000_000.0
MAX_NAME = 100
"""Characters of a company's name or industry; the longest name has 57."""

MAX_FIGURE = 1e15
"""Shares issued, or ₹ crore; anything near it is a misplaced column."""

_REMEDY = "Download it again or remove it."
ACTION_COLUMNS = ("symbol", "series", "purpose", "face_value", "ex_date", "known_on", "source")
_REPORT_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


SkippedLines = list[tuple[Path, RejectedLine]]
"""Collects the lines that a reader skips."""


def text_table(
    path: Path, required: tuple[str, ...], skipped: SkippedLines | None = None, *, may_be_empty: bool = False
) -> pd.DataFrame:
    """Return a csv as text, names in upper case, names and values trimmed, unknown (``-``) as empty.

    All columns, values as ``object``; indexed by line number. `required` are columns in upper case; `skipped` collects
    the lines that are no rows of the table; `may_be_empty` allows a header without rows. Raises SourceUnreadable when
    it is no csv or lacks a required column.
    """
    try:
        table, rejected = _parsed(path, file_version(path), may_be_empty)
    except FileUnreadable as error:
        raise SourceUnreadable(f"{error} {_REMEDY}") from error
    table = table.set_axis([str(column).upper() for column in table.columns], axis=1)
    missing = [column for column in required if column not in table.columns]
    if missing:
        raise SourceUnreadable(f"{path.name} lacks the columns {', '.join(missing)}. {_REMEDY}")
    doubled = [column for column in required if list(table.columns).count(column) > 1]
    if doubled:
        raise SourceUnreadable(f"{path.name} names the column {doubled[0]} twice. {_REMEDY}")
    if skipped is not None:
        skipped.extend((path, line) for line in rejected)
    return table.loc[:, ~table.columns.duplicated()].replace("-", "")


@lru_cache(maxsize=16)
def _parsed(path: Path, version: tuple[int, int, int], may_be_empty: bool) -> file_contents.TextTable:
    """Parse each version of a list once: an evening reads that of corporate actions five times."""
    return file_contents.text_table(decoded_text(file_bytes(path), path.name), path.name, may_be_empty=may_be_empty)


def with_valid_symbols(table: pd.DataFrame, path: Path, skipped: SkippedLines | None) -> pd.DataFrame:
    """Keep rows whose symbol has the exchange's form, and collect the others."""
    good = table["symbol"].str.fullmatch(SYMBOL)
    if skipped is not None:
        skipped.extend(_rejected(path, table[~good], "the symbol is not one of the exchange"))
    return table[good].reset_index(drop=True)


def _rejected(path: Path, rows: pd.DataFrame, reason: str) -> SkippedLines:
    # Not `agg(",".join, axis=1)`: without rows that is a frame, whose items are the names of its columns.
    return [(path, RejectedLine(0, reason, ",".join(map(str, row)))) for row in rows.itertuples(index=False)]


def _isins(text: "pd.Series[str]") -> "pd.Series[str]":
    """Return ISINs, None for other texts."""
    return text.where(text.str.fullmatch(ISIN), None)


def _names(text: "pd.Series[str]") -> "pd.Series[str]":
    """Return names, None for empty or overlong texts."""
    return text.where(text.str.len().between(1, MAX_NAME), None)


def _figures(text: "pd.Series[str]") -> "pd.Series[float]":
    """Return positive numbers, NaN for anything else: the exchange writes 0 for unknown."""
    number = pd.to_numeric(text, errors="coerce").astype("float64")
    return number.where((number > 0) & (number < MAX_FIGURE))


def listed_equities(folder: Path, skipped: SkippedLines | None = None) -> pd.DataFrame:
    """Return ``EQUITY_L.csv``: symbol, stock_name, series, isin, face_value, listed_on."""
    columns = ["symbol", "stock_name", "series", "isin", "face_value", "listed_on"]
    path = folder / EQUITIES
    if not path.is_file():
        return pd.DataFrame(columns=columns, dtype="object")
    headers = ("SYMBOL", "NAME OF COMPANY", "SERIES", "ISIN NUMBER", "FACE VALUE", "DATE OF LISTING")
    table = text_table(path, headers, skipped)[list(headers)].set_axis(columns, axis=1)
    table = with_valid_symbols(table, path, skipped)
    table["face_value"] = _figures(table["face_value"])
    table["listed_on"] = published_dates(table["listed_on"], "%d-%b-%Y")
    table["isin"], table["stock_name"] = _isins(table["isin"]), _names(table["stock_name"])
    table["series"] = _series(table["series"])
    return table.drop_duplicates("symbol", ignore_index=True)


def _series(text: "pd.Series[str]") -> "pd.Series[str]":
    """Return two-character series, None for other texts."""
    return text.where(text.str.fullmatch("[A-Z0-9]{2}"), None)


def index_members(folder: Path, skipped: SkippedLines | None = None) -> pd.DataFrame:
    """Return the index lists: ``MEMBER_COLUMNS``, stock_name, series and isin."""
    headers = {
        "SYMBOL": "symbol",
        "INDUSTRY": "industry",
        "COMPANY NAME": "stock_name",
        "SERIES": "series",
        "ISIN CODE": "isin",
    }
    parts = []
    for name, index in INDEX_LISTS.items():
        path = folder / name
        if path.is_file():
            table = text_table(path, tuple(headers), skipped)[list(headers)].rename(columns=headers)
            parts.append(with_valid_symbols(table, path, skipped).assign(index=index))
    if not parts:
        return pd.DataFrame(columns=[*MEMBER_COLUMNS, "stock_name", "series", "isin"], dtype="object")
    members = pd.concat(parts, ignore_index=True).drop_duplicates(["index", "symbol"], ignore_index=True)
    members["isin"], members["series"] = _isins(members["isin"]), _series(members["series"])
    members["stock_name"], members["industry"] = _names(members["stock_name"]), _names(members["industry"])
    return members


def listed_actions(folder: Path, skipped: SkippedLines | None = None) -> pd.DataFrame:
    """Return ``CF-CA-equities.csv``: ``ACTION_COLUMNS``, known from the ex-date on: the list has no other date."""
    path = folder / ACTIONS
    if not path.is_file():
        return pd.DataFrame(columns=list(ACTION_COLUMNS), dtype="object")
    headers = {
        "SYMBOL": "symbol",
        "SERIES": "series",
        "PURPOSE": "purpose",
        "FACE VALUE": "face_value",
        "EX-DATE": "ex_date",
    }
    # A list of a few days may have no action, for example after a download into an empty folder.
    table = text_table(path, tuple(headers), skipped, may_be_empty=True)[list(headers)].rename(columns=headers)
    table = with_valid_symbols(table, path, skipped)
    table["ex_date"] = table["known_on"] = published_dates(table["ex_date"], "%d-%b-%Y")
    table["face_value"] = _figures(table["face_value"])
    return table.assign(source=f"nse_archive:{path.name}")


def announced_actions(folder: Path, skipped: SkippedLines | None = None) -> pd.DataFrame:
    """Return the ``bc`` files of the report packs: ``ACTION_COLUMNS``, known from the day of the report on."""
    headers = {"SYMBOL": "symbol", "SERIES": "series", "PURPOSE": "purpose", "EX_DT": "ex_date"}
    parts = []
    for day, pack in report_packs(folder):
        for path in sorted(pack.glob("bc*.csv")):
            table = text_table(path, tuple(headers), skipped, may_be_empty=True)
            table = table[list(headers)].rename(columns=headers)
            table = with_valid_symbols(table, path, skipped)
            table = table.assign(face_value=float("nan"), known_on=pd.Timestamp(day))
            table["ex_date"] = published_dates(table["ex_date"], "%Y-%m-%d")
            parts.append(table.assign(source=f"nse_archive:{path.name}")[list(ACTION_COLUMNS)])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(ACTION_COLUMNS), dtype="object")


def symbol_changes(folder: Path, skipped: SkippedLines | None = None) -> pd.DataFrame:
    """Return the exchange's list of renames: ``CHANGE_COLUMNS``."""
    path = folder / CHANGES
    if not path.is_file():
        return pd.DataFrame(columns=list(CHANGE_COLUMNS), dtype="object")
    try:
        content = file_bytes(path)
        # The list has no header, so without any rename it is an empty file.
        text = decoded_text(content, path.name) if content.strip() else ""
    except FileUnreadable as error:
        raise SourceUnreadable(f"{error} {_REMEDY}") from error
    # Company name (may contain commas), old symbol, new symbol, date.
    lines = [[cell.strip() for cell in line.split(",")] for line in text.splitlines()]
    table = pd.DataFrame(
        [row[-3:] for row in lines if len(row) >= 4], columns=["from_symbol", "to_symbol", "date"], dtype=object
    )
    table["date"] = published_dates(table["date"].astype(object), "%d-%b-%Y")
    named = table["from_symbol"].str.fullmatch(SYMBOL) & table["to_symbol"].str.fullmatch(SYMBOL)
    good = named.astype(bool) & table["date"].notna() & (table["from_symbol"] != table["to_symbol"])
    if skipped is not None:
        skipped.extend(_rejected(path, table[~good], "it is no rename"))
    return table[good].assign(proof="exchange's list").reset_index(drop=True)


def report_packs(folder: Path) -> Iterator[tuple[date, Path]]:
    """Yield the daily report packs (``YYYY-MM-DD`` folders), oldest first, without those of another day inside."""
    for day, pack in _named_packs(folder):
        if _days_inside(pack) <= {day}:
            yield day, pack


def _days_inside(pack: Path) -> set[date]:
    """Return the trade dates of a pack's market caps, which alone bear a date."""
    days = (_trade_date(path, file_version(path)) for path in sorted(pack.glob("mcap*.csv"))[:1])
    return {day for day in days if day is not None}


@lru_cache(maxsize=1 << 12)
def _trade_date(path: Path, version: tuple[int, int, int]) -> date | None:
    """Return the trade date in the first row of a file of market caps."""
    try:
        with path.open("rb") as stream:
            header, row = (line.decode("latin-1").split(",") for line in (stream.readline(), stream.readline()))
        column = [name.strip().upper() for name in header].index("TRADE DATE")
        return datetime.strptime(row[column].strip().title(), "%d %b %Y").date()
    except (OSError, ValueError, IndexError):
        return None  # what is wrong with it is reported where it is read


def _named_packs(folder: Path) -> Iterator[tuple[date, Path]]:
    if not folder.is_dir():
        return
    for pack in sorted(folder.iterdir()):
        if pack.is_dir() and _REPORT_DAY.fullmatch(pack.name):
            try:
                yield date.fromisoformat(pack.name), pack
            except ValueError:
                continue


def issued_capital(pack: Path, skipped: SkippedLines | None = None) -> pd.DataFrame:
    """Return ``mcap``: symbol, stock_name, series, face_value, issue_size (shares), market_cap_crores (₹ crore)."""
    columns = ["symbol", "stock_name", "series", "face_value", "issue_size", "market_cap_crores"]
    for path in sorted(pack.glob("mcap*.csv")):
        headers = ("SYMBOL", "SECURITY NAME", "SERIES", "FACE VALUE(RS.)", "ISSUE SIZE", "MARKET CAP(RS.)")
        table = text_table(path, headers, skipped)[list(headers)].set_axis(columns, axis=1)
        table = with_valid_symbols(table[table["series"].isin(SERIES_ORDER)], path, skipped)
        for column in columns[3:]:
            table[column] = _figures(table[column])
        table["market_cap_crores"] = table["market_cap_crores"] / RUPEES_A_CRORE
        table["stock_name"] = _names(table["stock_name"])
        return table.drop_duplicates("symbol", ignore_index=True)
    return pd.DataFrame(columns=columns, dtype="object")


def daily_facts(pack: Path, skipped: SkippedLines | None = None) -> pd.DataFrame:
    """Return ``mcap`` joined with ``PE_`` of one day: ``FACT_COLUMNS``; the exchange writes a P/E of 0 for none."""
    capital = issued_capital(pack, skipped)
    ratio = pd.DataFrame({"symbol": [], "pe_ratio": []}, dtype="object")
    for path in sorted(pack.glob("PE_*.csv")):
        table = text_table(path, ("SYMBOL", "SYMBOL P/E"), skipped).rename(columns={"SYMBOL": "symbol"})
        table = with_valid_symbols(table[["symbol", "SYMBOL P/E"]], path, skipped)
        ratio = table.assign(pe_ratio=_figures(table["SYMBOL P/E"])).dropna()[["symbol", "pe_ratio"]]
        ratio = ratio.drop_duplicates("symbol")
        break
    facts = capital[["symbol", "issue_size", "market_cap_crores"]].merge(ratio, on="symbol", how="outer")
    kinds = dict.fromkeys(FACT_COLUMNS[1:4], "float64") | {"symbol": "object", "source": "object"}
    return facts.assign(source=f"nse_archive:reports/{pack.name}").astype(kinds)[list(FACT_COLUMNS)]


def traded_as_equity(pack: Path, skipped: SkippedLines | None = None) -> pd.DataFrame:
    """Return ``pd``: symbol and stock_name of what traded in series EQ that day."""
    for path in sorted(pack.glob("pd*.csv")):
        table = text_table(path, ("SERIES", "SYMBOL", "SECURITY"), skipped)
        table = table.loc[table["SERIES"] == "EQ", ["SYMBOL", "SECURITY"]].set_axis(["symbol", "stock_name"], axis=1)
        table = with_valid_symbols(table, path, skipped)
        return table.assign(stock_name=_names(table["stock_name"])).drop_duplicates("symbol", ignore_index=True)
    return pd.DataFrame(columns=["symbol", "stock_name"], dtype="object")


def changed_series(pack: Path, skipped: SkippedLines | None = None) -> frozenset[str]:
    """Return ``series_change``: symbols that move between the series of shares."""
    path = pack / "series_change.csv"
    if not path.is_file():
        return frozenset()
    table = text_table(path, ("SYMBOL", "FROM SERIES", "TO SERIES"), skipped, may_be_empty=True)
    table = table.rename(columns={"SYMBOL": "symbol"})
    moved = table["FROM SERIES"].isin(SERIES_ORDER) & table["TO SERIES"].isin(SERIES_ORDER)
    return frozenset(with_valid_symbols(table.loc[moved, ["symbol"]], path, skipped)["symbol"])


def holidays(folder: Path) -> pd.DataFrame:
    """Return the holiday lists of the cash market: date, description, kind.

    The kind is ``holiday``, or ``muhurat``, ``special`` or ``drill`` where the list announces a session: ``*`` marks
    Muhurat trading.
    """
    records = []
    for path in sorted(folder.glob(HOLIDAYS)):
        try:
            listed = json.loads(file_bytes(path))["CM"]
            records += [
                (datetime.strptime(row["tradingDate"], "%d-%b-%Y"), _printable(row["description"])) for row in listed
            ]
        except FileUnreadable as error:
            raise SourceUnreadable(f"{error} {_REMEDY}") from error
        except KeyError as error:
            raise SourceUnreadable(f"{path.name} lacks {error}: it is no list of the cash market. {_REMEDY}") from error
        except (ValueError, TypeError, RecursionError) as error:
            raise SourceUnreadable(
                f"{path.name} is not an answer of the holiday service ({error!r:.200}). {_REMEDY}"
            ) from error
    frame = pd.DataFrame.from_records(records, columns=["date", "description"])
    frame["date"] = plausible_dates(pd.to_datetime(frame["date"]))
    frame["kind"] = [_day_kind(description) for description in frame["description"]]
    # Of two lists of one year the later one announces the session.
    frame = frame.dropna().sort_values("kind", key=lambda kinds: kinds.eq("holiday"), kind="stable")
    return frame.drop_duplicates("date").sort_values("date", ignore_index=True)


_ANNOUNCED = (
    (re.compile(r"disaster recovery|\bDR site\b|\bdrill\b", re.IGNORECASE), "drill"),
    (re.compile(r"budget|(special|live).* (trading|session)", re.IGNORECASE), "special"),
    (re.compile(r"\*|muh?urat|la(x|ksh)mi pu?jan?", re.IGNORECASE), "muhurat"),
)


def _day_kind(description: str) -> str:
    return next((kind for wording, kind in _ANNOUNCED if wording.search(description)), "holiday")


def _printable(text: object) -> str:
    return "".join(letter for letter in str(text).strip()[:MAX_NAME] if letter.isprintable())


def findings(lists: Path, reports: Path) -> list[SourceFinding]:
    """Return the lines that the readers of the lists and of the newest report pack skip."""
    skipped: SkippedLines = []
    for read in (listed_equities, index_members, listed_actions, symbol_changes):
        read(lists, skipped)
    of_packs: tuple[Callable[[Path, SkippedLines], object], ...] = (daily_facts, traded_as_equity, changed_series)
    for pack in [pack for _, pack in report_packs(reports)][-1:]:
        for read_pack in of_packs:
            read_pack(pack, skipped)
    by_file: dict[Path, list[RejectedLine]] = {}
    for path, line in skipped:
        by_file.setdefault(path, []).append(line)
    misdated = [
        SourceFinding(
            SourceCheck.MISDATED,
            "warning",
            f"reports/{pack.name} was left aside: its market caps are of {', '.join(map(str, _days_inside(pack)))}.",
            f"Remove the folder, or put the reports of {day} there.",
        )
        for day, pack in _named_packs(reports)
        if not _days_inside(pack) <= {day}
    ]
    return misdated + [
        SourceFinding(
            SourceCheck.FILES,
            "warning",
            f"{path.parent.name}/{path.name}: {len(lines)} lines were left out, the first because {lines[0].reason}: "
            f"{lines[0].raw[:200]!r}.",
            "Fetch the file again if they matter.",
        )
        for path, lines in by_file.items()
    ]


def published_dates(text: "pd.Series", written: str) -> "pd.Series":
    """Read dates in the exchange's spelling; what is none becomes NaT."""
    return plausible_dates(pd.to_datetime(text.str.title(), format=written, errors="coerce"))
