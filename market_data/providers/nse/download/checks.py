"""Checks of downloaded files; each raises SourceUnreadable with the reason.

They use the archive's own readers, so that no file reaches its place that the next run could not read.
"""

import zipfile
import zlib
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from statistics import median

import pandas as pd

from market_data.prices.bars import checked_bars
from market_data.providers import SourceUnreadable
from market_data.providers.nse import lists
from market_data.providers.nse.download.addresses import REPORT_MEMBERS
from market_data.providers.nse.files import Layout, content_of, parsed_bars
from stocks.storage.file_contents import MAX_BYTES

FEWEST, MOST = 0.7, 1.5
"""Bounds of the number of EQ shares against the nearest stored sessions; real neighbours differ by 2 %."""

FEWEST_WITHOUT_END = 0.97
"""The lower bound when the server sent no length: a lost tail would go unnoticed."""

SHRUNK = 0.8
"""A new list must have at least this share of the stored one's lines."""

REJECTED_TOLERANCE = 0.05
_REMEDY = "It was not accepted; the next run requests it again, or put the right file there by hand."
_ZIP_ERRORS = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
"""What the library raises for a damaged zip."""


def bars_count(path: Path, layout: Layout, day: date) -> int:
    """Return how many shares of series EQ a daily file holds; raises SourceUnreadable for another day's file."""
    try:
        content = content_of(path)
    except _ZIP_ERRORS as error:
        raise SourceUnreadable(f"{path.name} is not a readable zip file ({error}). {_REMEDY}") from error
    raw = parsed_bars(content, name=path.name, layout=layout, session=day)
    bars, rejects = checked_bars(raw.frame, session=day)
    rejected = len(raw.rejects) + len(rejects)
    if rejected > REJECTED_TOLERANCE * max(len(bars), 1):
        raise SourceUnreadable(f"{path.name}: {rejected} of {len(bars) + rejected} rows were rejected. {_REMEDY}")
    return int((bars["series"] == "EQ").sum())


def check_bars(path: Path, layout: Layout, day: date, *, nearest: Sequence[int], end_known: bool) -> int:
    """Check a daily file, compare its length with the nearest stored sessions, and return it.

    ``nearest`` is `bars_count` of those sessions, possibly none; ``end_known`` tells whether the server sent the file's
    length.
    """
    count = bars_count(path, layout, day)
    usual = median(nearest) if nearest else count
    fewest = FEWEST if end_known else FEWEST_WITHOUT_END
    if count == 0 or not fewest * usual <= count <= MOST * usual:
        raise SourceUnreadable(
            f"{path.name} holds {count:,} shares of series EQ, the nearest sessions {usual:,.0f}: truncated or not the "
            f"whole market. {_REMEDY}"
        )
    return count


def check_list(path: Path, current: Path) -> None:
    """Check an undated list by reading it, and compare its length with the stored one, if that is readable."""
    count = _lines(path)
    try:
        before = _lines(current)
    except SourceUnreadable:
        before = 0
    if count == 0 or count < SHRUNK * before:
        raise SourceUnreadable(f"{path.name} holds {count:,} usable lines, the stored one {before:,}. {_REMEDY}")


def _lines(path: Path) -> int:
    if path.name in lists.INDEX_LISTS:
        members = lists.index_members(path.parent)
        return int((members["index"] == lists.INDEX_LISTS[path.name]).sum())
    return len(_READERS[path.name](path.parent))


_READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    lists.EQUITIES: lists.listed_equities,
    lists.CHANGES: lists.symbol_changes,
}


def year_of_holidays(path: Path) -> int:
    """Return the year that an answer of the holiday service is for; no other list may lie in its folder."""
    days = lists.holidays(path.parent)["date"]
    if days.empty:
        raise SourceUnreadable(f"{path.name} names no holiday. {_REMEDY}")
    return int(pd.to_datetime(days).dt.year.mode().iloc[0])


def merge_actions(current: Path, parts: Sequence[Path], first: date, last: date, into: Path) -> None:
    """Write the stored list of corporate actions, which may be missing, with a span of days replaced by the parts.

    ``parts`` are downloaded lists of successive ex-dates, together from ``first`` to ``last``. Raises SourceUnreadable
    when a part is no such list, holds other days, or has far fewer lines for these days than the stored list.
    """
    tables = [_actions(path) for path in parts]
    fresh = pd.concat(tables, ignore_index=True).drop_duplicates(ignore_index=True)
    outside = fresh[~_ex_dates(fresh).between(pd.Timestamp(first), pd.Timestamp(last))]
    if len(outside):
        raise SourceUnreadable(
            f"{into.name} for {first} to {last} holds {len(outside):,} lines of other days, for example "
            f"{outside['EX-DATE'].iloc[0]!r}. {_REMEDY}"
        )
    old = _actions(current) if current.is_file() else fresh.iloc[:0]
    replaced = _ex_dates(old).between(pd.Timestamp(first), pd.Timestamp(last))
    if len(fresh) < SHRUNK * int(replaced.sum()):
        raise SourceUnreadable(
            f"{into.name} for {first} to {last} holds {len(fresh):,} lines, the stored one {int(replaced.sum()):,} for "
            f"these days. {_REMEDY}"
        )
    merged = pd.concat([old[~replaced], fresh], ignore_index=True).fillna("")
    order = _ex_dates(merged).argsort(kind="stable")
    merged.iloc[order].to_csv(into, index=False, quoting=1, encoding="utf-8", lineterminator="\n")


def _actions(path: Path) -> pd.DataFrame:
    # A span without any action is a valid answer.
    columns = ("SYMBOL", "SERIES", "PURPOSE", "FACE VALUE", "EX-DATE")
    return lists.text_table(path, columns, may_be_empty=True)


def _ex_dates(table: pd.DataFrame) -> "pd.Series":
    return lists.published_dates(table["EX-DATE"].astype("object"), "%d-%b-%Y")


def unpack_reports(packed: Path, day: date, into: Path) -> None:
    """Unpack the report files of a daily pack into a folder, under the names that readers expect.

    Raises SourceUnreadable when the zip is damaged or too large, or its market caps are missing or for another day.
    """
    into.mkdir()
    try:
        with zipfile.ZipFile(packed) as archive:
            remaining = MAX_BYTES
            for member in archive.infolist():
                # Only the last part of a member's name is used: it must not lead out of the folder.
                name = Path(member.filename.replace("\\", "/")).name.lower()
                if not name.endswith(".csv") or not name.startswith(REPORT_MEMBERS):
                    continue
                with archive.open(member) as stream:
                    content = stream.read(remaining + 1)
                remaining -= len(content)
                if remaining < 0:
                    raise SourceUnreadable(f"{packed.name} unpacks to more than {MAX_BYTES:,} bytes. {_REMEDY}")
                (into / name).write_bytes(content)
    except _ZIP_ERRORS as error:
        raise SourceUnreadable(f"{packed.name} is not a readable zip file ({error}). {_REMEDY}") from error
    _check_reports(packed.name, into, day)


def _check_reports(name: str, folder: Path, day: date) -> None:
    caps = sorted(folder.glob("mcap*.csv"))
    if not caps or lists.issued_capital(folder).empty:
        raise SourceUnreadable(f"{name} holds no market caps. {_REMEDY}")
    dates = set(lists.text_table(caps[0], ("TRADE DATE",))["TRADE DATE"].str.upper())
    if f"{day:%d %b %Y}".upper() not in dates:
        raise SourceUnreadable(
            f"{name} holds market caps of {', '.join(sorted(dates)[:3])} instead of {day}. {_REMEDY}"
        )


def check_earnings_ratios(path: Path, previous: Sequence[Path]) -> None:
    """Check the P/E of a session; the file has no date inside, so it must at least differ from earlier ones."""
    table = lists.text_table(path, ("SYMBOL", "SYMBOL P/E"))
    if pd.to_numeric(table["SYMBOL P/E"], errors="coerce").notna().sum() == 0:
        raise SourceUnreadable(f"{path.name} holds no ratio. {_REMEDY}")
    if any(older.read_bytes() == path.read_bytes() for older in previous):
        raise SourceUnreadable(f"{path.name} is the file of an earlier session under a new name. {_REMEDY}")
