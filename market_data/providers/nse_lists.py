"""The exchange's lists beside the daily bars: listed equities, index members, corporate actions, holidays, reports.

Source of the layouts: the exchange's site (``EQUITY_L.csv``, ``ind_nifty500list.csv``, ``CF-CA-equities.csv``, the
holiday service's JSON) and the daily report pack (``mcap``, ``PE_``, ``bc``, ``pd``, ``series_change``). All are
optional: a reader returns an empty frame for a file that is not there. Pure: paths in, frames out.
"""

import io
import json
import re
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import pandas as pd

from market_data.bars import SERIES_ORDER
from market_data.providers import CHANGE_COLUMNS, FACT_COLUMNS, MEMBER_COLUMNS, SourceUnreadable
from market_data.providers.nse_files import MAX_BYTES

EQUITIES = "EQUITY_L.csv"
ACTIONS = "CF-CA-equities.csv"
INDEX_LISTS = {"ind_nifty50list.csv": "NIFTY 50", "ind_nifty500list.csv": "NIFTY 500"}
HOLIDAYS = "nse-holidays-*.json"
CHANGES = "symbolchange.csv"

RUPEES_A_CRORE = 10_000_000.0
ACTION_COLUMNS = ("symbol", "series", "purpose", "face_value", "ex_date", "known_on", "source")
_REPORT_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def text_table(path: Path, required: tuple[str, ...]) -> pd.DataFrame:
    """Read a csv as text, names and values trimmed, unknown (``-``) as empty.

    Parameters
    ----------
    path
        The file; a byte-order mark is taken off.
    required
        Columns it must have, in upper case.

    Returns
    -------
    DataFrame
        All columns, names in upper case, values as ``object`` text.

    Raises
    ------
    SourceUnreadable
        When it is no csv or lacks a required column.
    """
    if path.stat().st_size > MAX_BYTES:
        raise SourceUnreadable(f"{path.name} has {path.stat().st_size:,} bytes, far more than such a list has.")
    content = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    if not text.strip() or text.lstrip().startswith("<"):
        raise SourceUnreadable(f"{path.name} is empty or a web page, not a csv. Fetch it again or remove it.")
    try:
        table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False, skipinitialspace=True, index_col=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise SourceUnreadable(f"{path.name} is not a readable csv ({error}). Fetch it again or remove it.") from error
    table.columns = pd.Index([str(column).strip().upper() for column in table.columns])
    missing = [column for column in required if column not in table.columns]
    if missing:
        raise SourceUnreadable(f"{path.name} lacks the columns {', '.join(missing)}. Fetch it again or remove it.")
    return pd.DataFrame({column: table[column].astype("object").str.strip().replace("-", "") for column in table})


def listed_equities(folder: Path) -> pd.DataFrame:
    """Read ``EQUITY_L.csv``: symbol, stock_name, series, isin, face_value, listed_on."""
    columns = ["symbol", "stock_name", "series", "isin", "face_value", "listed_on"]
    path = folder / EQUITIES
    if not path.is_file():
        return pd.DataFrame(columns=columns, dtype="object")
    theirs = ("SYMBOL", "NAME OF COMPANY", "SERIES", "ISIN NUMBER", "FACE VALUE", "DATE OF LISTING")
    table = text_table(path, theirs).loc[:, list(theirs)].set_axis(columns, axis=1)
    table["face_value"] = pd.to_numeric(table["face_value"], errors="coerce")
    table["listed_on"] = published_dates(table["listed_on"], "%d-%b-%Y")
    return table.drop_duplicates("symbol", ignore_index=True)


def index_members(folder: Path) -> pd.DataFrame:
    """Read the index lists: ``MEMBER_COLUMNS`` and, beside them, stock_name, series and isin."""
    parts = []
    for name, index in INDEX_LISTS.items():
        if (folder / name).is_file():
            table = text_table(folder / name, ("COMPANY NAME", "INDUSTRY", "SYMBOL", "SERIES", "ISIN CODE"))
            parts.append(
                table.rename(
                    columns={
                        "SYMBOL": "symbol",
                        "INDUSTRY": "industry",
                        "COMPANY NAME": "stock_name",
                        "SERIES": "series",
                        "ISIN CODE": "isin",
                    }
                ).assign(index=index)
            )
    if not parts:
        return pd.DataFrame(columns=[*MEMBER_COLUMNS, "stock_name", "series", "isin"], dtype="object")
    return pd.concat(parts, ignore_index=True).drop_duplicates(["index", "symbol"], ignore_index=True)


def listed_actions(folder: Path) -> pd.DataFrame:
    """Read ``CF-CA-equities.csv``: ``ACTION_COLUMNS``, known on the ex-date, for the list says no earlier date."""
    path = folder / ACTIONS
    if not path.is_file():
        return pd.DataFrame(columns=list(ACTION_COLUMNS), dtype="object")
    table = text_table(path, ("SYMBOL", "SERIES", "PURPOSE", "FACE VALUE", "EX-DATE"))
    ex_date = published_dates(table["EX-DATE"], "%d-%b-%Y")
    return pd.DataFrame(
        {
            "symbol": table["SYMBOL"],
            "series": table["SERIES"],
            "purpose": table["PURPOSE"],
            "face_value": pd.to_numeric(table["FACE VALUE"], errors="coerce"),
            "ex_date": ex_date,
            "known_on": ex_date,
            "source": f"nse_archive:{path.name}",
        }
    )


def announced_actions(folder: Path) -> pd.DataFrame:
    """Read the ``bc`` files of the report packs: ``ACTION_COLUMNS``, known on the day of the report."""
    parts = []
    for day, pack in report_packs(folder):
        for path in pack.glob("bc*.csv"):
            table = text_table(path, ("SERIES", "SYMBOL", "EX_DT", "PURPOSE"))
            parts.append(
                pd.DataFrame(
                    {
                        "symbol": table["SYMBOL"],
                        "series": table["SERIES"],
                        "purpose": table["PURPOSE"],
                        "face_value": float("nan"),
                        "ex_date": published_dates(table["EX_DT"], "%Y-%m-%d"),
                        "known_on": pd.Timestamp(day),
                        "source": f"nse_archive:{path.name}",
                    }
                )
            )
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(ACTION_COLUMNS), dtype="object")


def symbol_changes(folder: Path) -> pd.DataFrame:
    """Read the exchange's list of renames, if it is there: ``CHANGE_COLUMNS``."""
    path = folder / CHANGES
    if not path.is_file():
        return pd.DataFrame(columns=list(CHANGE_COLUMNS), dtype="object")
    # This list has no header: name of the company, old symbol, new symbol, date.
    rows = [line.split(",") for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines()]
    records = [
        (row[-3].strip(), row[-2].strip(), datetime.strptime(row[-1].strip().title(), "%d-%b-%Y"), "exchange's list")
        for row in rows
        if len(row) >= 4 and re.fullmatch(r"\d{2}-[A-Za-z]{3}-\d{4}", row[-1].strip())
    ]
    return pd.DataFrame.from_records(records, columns=list(CHANGE_COLUMNS))


def report_packs(folder: Path) -> Iterator[tuple[date, Path]]:
    """Iterate over the daily report packs (``YYYY-MM-DD`` folders), oldest first."""
    if not folder.is_dir():
        return
    for pack in sorted(folder.iterdir()):
        if pack.is_dir() and _REPORT_DAY.fullmatch(pack.name):
            try:
                yield date.fromisoformat(pack.name), pack
            except ValueError:
                continue


def issued_capital(pack: Path) -> pd.DataFrame:
    """Read ``mcap``: symbol, stock_name, series, face_value, issue_size (shares), market_cap_crores (₹ crore)."""
    columns = ["symbol", "stock_name", "series", "face_value", "issue_size", "market_cap_crores"]
    for path in sorted(pack.glob("mcap*.csv")):
        theirs = ("SYMBOL", "SECURITY NAME", "SERIES", "FACE VALUE(RS.)", "ISSUE SIZE", "MARKET CAP(RS.)")
        table = text_table(path, theirs).loc[:, list(theirs)].set_axis(columns, axis=1)
        for column in columns[3:]:
            number = pd.to_numeric(table[column], errors="coerce")
            table[column] = number.where(number > 0)
        table["market_cap_crores"] = table["market_cap_crores"] / RUPEES_A_CRORE
        table = table.loc[table["series"].isin(SERIES_ORDER)]
        return table.drop_duplicates("symbol", ignore_index=True)
    return pd.DataFrame(columns=columns, dtype="object")


def daily_facts(pack: Path) -> pd.DataFrame:
    """Join ``mcap`` and ``PE_`` of one day: ``FACT_COLUMNS``; a P/E of 0 is the exchange's word for none."""
    capital = issued_capital(pack)
    ratio = pd.DataFrame({"symbol": [], "pe_ratio": []}, dtype="object")
    for path in sorted(pack.glob("PE_*.csv")):
        table = text_table(path, ("SYMBOL", "SYMBOL P/E"))
        number = pd.to_numeric(table["SYMBOL P/E"], errors="coerce")
        ratio = pd.DataFrame({"symbol": table["SYMBOL"], "pe_ratio": number.where(number > 0)}).dropna()
        ratio = ratio.drop_duplicates("symbol")
        break
    facts = capital.loc[:, ["symbol", "issue_size", "market_cap_crores"]].merge(ratio, on="symbol", how="outer")
    kinds = dict.fromkeys(FACT_COLUMNS[1:4], "float64") | {"symbol": "object", "source": "object"}
    return facts.assign(source=f"nse_archive:reports/{pack.name}").astype(kinds).loc[:, list(FACT_COLUMNS)]


def traded_as_equity(pack: Path) -> pd.DataFrame:
    """Read ``pd``: symbol and stock_name of what traded in series EQ that day."""
    for path in sorted(pack.glob("pd*.csv")):
        table = text_table(path, ("SERIES", "SYMBOL", "SECURITY"))
        table = table.loc[table["SERIES"] == "EQ", ["SYMBOL", "SECURITY"]]
        return table.set_axis(["symbol", "stock_name"], axis=1).drop_duplicates("symbol", ignore_index=True)
    return pd.DataFrame(columns=["symbol", "stock_name"], dtype="object")


def changed_series(pack: Path) -> frozenset[str]:
    """Read ``series_change``: symbols that move between the series of shares."""
    path = pack / "series_change.csv"
    if not path.is_file():
        return frozenset()
    table = text_table(path, ("SYMBOL", "FROM SERIES", "TO SERIES"))
    moved = table["FROM SERIES"].isin(SERIES_ORDER) & table["TO SERIES"].isin(SERIES_ORDER)
    return frozenset(table.loc[moved, "SYMBOL"])


def holidays(folder: Path) -> pd.DataFrame:
    """Read the holiday service's answers for the cash market: date, description; ``*`` in it marks Muhurat trading."""
    records = []
    for path in sorted(folder.glob(HOLIDAYS)):
        try:
            listed = json.loads(path.read_text(encoding="utf-8-sig"))["CM"]
            records += [
                (datetime.strptime(row["tradingDate"], "%d-%b-%Y"), str(row["description"]).strip()) for row in listed
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise SourceUnreadable(f"{path.name} is not an answer of the holiday service ({error!r}).") from error
    return pd.DataFrame.from_records(records, columns=["date", "description"]).drop_duplicates(
        "date", ignore_index=True
    )


def published_dates(text: "pd.Series", written: str) -> "pd.Series":
    """Read dates in the exchange's spelling; what is none becomes NaT."""
    return pd.to_datetime(text.str.title(), format=written, errors="coerce").astype("datetime64[ns]")
