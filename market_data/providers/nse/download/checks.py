"""Whether a downloaded file is what it should be; each check raises SourceUnreadable with the reason.

They use the readers of the archive itself, so that nothing reaches its place that the next run could not read. Pure:
paths in, figures out.
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
"""Shares in series EQ against the sessions stored nearest; from one session to the next the real ones differ by 2 %."""

FEWEST_WITHOUT_END = 0.97
"""The same where the server did not say how long the file is: a lost tail would go unnoticed."""

SHRUNK = 0.8
"""A list may lose so much of its length against the one at hand."""

REJECTED_TOLERANCE = 0.05
_AGAIN = "It was not taken; the next run asks again, or put the right file there by hand."
_ODD = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
"""What a damaged zip makes the library raise."""


def bars_count(path: Path, layout: Layout, day: date) -> int:
    """Return how many shares a daily file holds in series EQ; raises SourceUnreadable when it is none of that day."""
    try:
        content = content_of(path)
    except _ODD as error:
        raise SourceUnreadable(f"{path.name} is not a readable zip file ({error}). {_AGAIN}") from error
    raw = parsed_bars(content, name=path.name, layout=layout, session=day)
    bars, rejects = checked_bars(raw.frame, session=day)
    aside = len(raw.rejects) + len(rejects)
    if aside > REJECTED_TOLERANCE * max(len(bars), 1):
        raise SourceUnreadable(f"{path.name}: {aside} of {len(bars) + aside} rows could not be taken. {_AGAIN}")
    return int((bars["series"] == "EQ").sum())


def check_bars(path: Path, layout: Layout, day: date, *, nearest: Sequence[int], end_known: bool) -> int:
    """Check a daily file and hold its length against the nearest sessions stored; return its own.

    Parameters
    ----------
    path, layout, day
        The file, its layout, the session in its name.
    nearest
        `bars_count` of sessions around it; may be empty.
    end_known
        Whether the server said how long the file is.
    """
    count = bars_count(path, layout, day)
    usual = median(nearest) if nearest else count
    fewest = FEWEST if end_known else FEWEST_WITHOUT_END
    if count == 0 or not fewest * usual <= count <= MOST * usual:
        raise SourceUnreadable(
            f"{path.name} holds {count:,} shares of series EQ, the sessions around it {usual:,.0f}: cut off or not the "
            f"whole market. {_AGAIN}"
        )
    return count


def check_list(path: Path, current: Path) -> None:
    """Check an undated list by reading it, and hold its length against the one at hand, if that can be read."""
    count = _lines(path)
    try:
        before = _lines(current)
    except SourceUnreadable:
        before = 0
    if count == 0 or count < SHRUNK * before:
        raise SourceUnreadable(f"{path.name} holds {count:,} usable lines, the one at hand {before:,}. {_AGAIN}")


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
    """Return the year that an answer of the holiday service is for; the answer must be alone in its folder."""
    days = lists.holidays(path.parent)["date"]
    if days.empty:
        raise SourceUnreadable(f"{path.name} names no holiday. {_AGAIN}")
    return int(pd.to_datetime(days).dt.year.mode().iloc[0])


def merged_actions(current: Path, parts: Sequence[Path], first: date, last: date, into: Path) -> None:
    """Write the list of corporate actions anew: what is at hand, with the days asked for replaced by what came.

    Parameters
    ----------
    current
        The list at hand; may be missing.
    parts
        Answers for successive spans of ex-dates, together from ``first`` to ``last``.
    into
        Where to write.

    Raises
    ------
    SourceUnreadable
        When a part is no such list, holds other days, or tells far less of these days than the list at hand.
    """
    tables = [_actions(path) for path in parts]
    fresh = pd.concat(tables, ignore_index=True).drop_duplicates(ignore_index=True)
    outside = fresh.loc[~_ex_dates(fresh).between(pd.Timestamp(first), pd.Timestamp(last))]
    if len(outside):
        raise SourceUnreadable(
            f"{into.name} for {first} to {last} holds {len(outside):,} lines of other days, for example "
            f"{outside['EX-DATE'].iloc[0]!r}. {_AGAIN}"
        )
    old = _actions(current) if current.is_file() else fresh.iloc[:0]
    replaced = _ex_dates(old).between(pd.Timestamp(first), pd.Timestamp(last))
    if len(fresh) < SHRUNK * int(replaced.sum()):
        raise SourceUnreadable(
            f"{into.name} for {first} to {last} holds {len(fresh):,} lines, the one at hand {int(replaced.sum()):,} of "
            f"these days. {_AGAIN}"
        )
    merged = pd.concat([old.loc[~replaced], fresh], ignore_index=True).fillna("")
    order = _ex_dates(merged).argsort(kind="stable")
    merged.iloc[order].to_csv(into, index=False, quoting=1, encoding="utf-8", lineterminator="\n")


def _actions(path: Path) -> pd.DataFrame:
    # Days without any action are an answer too.
    wanted = ("SYMBOL", "SERIES", "PURPOSE", "FACE VALUE", "EX-DATE")
    return lists.text_table(path, wanted, may_be_empty=True)


def _ex_dates(table: pd.DataFrame) -> "pd.Series":
    return lists.published_dates(table["EX-DATE"].astype("object"), "%d-%b-%Y")


def unpacked_reports(packed: Path, day: date, into: Path) -> None:
    """Unpack the wanted members of a daily report pack into a folder, under the names that readers look for.

    Raises
    ------
    SourceUnreadable
        When the zip is damaged or too large, or its market caps are missing or of another day.
    """
    into.mkdir()
    try:
        with zipfile.ZipFile(packed) as archive:
            left = MAX_BYTES
            for member in archive.infolist():
                # Only the last part of a member's name counts: it must not lead out of the folder.
                name = Path(member.filename.replace("\\", "/")).name.lower()
                if not name.endswith(".csv") or not name.startswith(REPORT_MEMBERS):
                    continue
                with archive.open(member) as stream:
                    content = stream.read(left + 1)
                left -= len(content)
                if left < 0:
                    raise SourceUnreadable(f"{packed.name} unpacks to more than {MAX_BYTES:,} bytes. {_AGAIN}")
                (into / name).write_bytes(content)
    except _ODD as error:
        raise SourceUnreadable(f"{packed.name} is not a readable zip file ({error}). {_AGAIN}") from error
    _check_reports(packed.name, into, day)


def _check_reports(name: str, folder: Path, day: date) -> None:
    caps = sorted(folder.glob("mcap*.csv"))
    if not caps or lists.issued_capital(folder).empty:
        raise SourceUnreadable(f"{name} holds no market caps. {_AGAIN}")
    said = set(lists.text_table(caps[0], ("TRADE DATE",))["TRADE DATE"].str.upper())
    if f"{day:%d %b %Y}".upper() not in said:
        raise SourceUnreadable(f"{name} holds market caps of {', '.join(sorted(said)[:3])} instead of {day}. {_AGAIN}")


def check_earnings_ratios(path: Path, previous: Sequence[Path]) -> None:
    """Check the P/E of a session; it bears no date inside, so it must at least differ from the ones before."""
    table = lists.text_table(path, ("SYMBOL", "SYMBOL P/E"))
    if pd.to_numeric(table["SYMBOL P/E"], errors="coerce").notna().sum() == 0:
        raise SourceUnreadable(f"{path.name} holds no ratio. {_AGAIN}")
    if any(older.read_bytes() == path.read_bytes() for older in previous):
        raise SourceUnreadable(f"{path.name} is the file of an earlier session under a new name. {_AGAIN}")
