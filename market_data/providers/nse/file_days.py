"""Whether a daily file holds the session in its name: proof is the date inside.

The exchange sometimes serves Friday's file under Sunday's name, and files are copied under wrong ones.
"""

import contextlib
import zipfile
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path

from market_data.providers import SourceUnreadable
from market_data.providers.nse.files import Layout, content_of, days_in, layout_of
from stocks.storage.file_contents import file_version

_HEAD_BYTES = 4096


def other_days(path: Path) -> tuple[date, ...]:
    """Return the days whose rows a daily file holds instead of the session in its name, ascending.

    Empty when it has rows of that session, or cannot be read: that is reported where its bars are read. Of a file whose
    first row is of that session nothing more is read; a file that did not change is not opened again.
    """
    return _other_days(path, file_version(path))


@lru_cache(maxsize=1 << 14)
def _other_days(path: Path, version: tuple[int, int, int]) -> tuple[date, ...]:
    named = layout_of(path.name)
    if named is None:
        return ()
    layout, session = named
    if _first_day(_head(path), layout) == session:
        return ()
    try:
        days = days_in(content_of(path), name=path.name, layout=layout)
    except SourceUnreadable:
        return ()
    return () if session in days else tuple(sorted(days))


def _head(path: Path) -> bytes:
    """Return the first bytes of a file, unpacked; none when it cannot be read."""
    # Each compression has its own exception; the whole reading that follows names what is wrong.
    with contextlib.suppress(Exception), path.open("rb") as stream:
        if path.suffix.lower() != ".zip":
            return stream.read(_HEAD_BYTES)
        with zipfile.ZipFile(stream) as archive, archive.open(archive.infolist()[0]) as member:
            return member.read(_HEAD_BYTES)
    return b""


def _first_day(head: bytes, layout: Layout) -> date | None:
    """Return the date in the first row of a file."""
    names, _, rest = head.decode("utf-8-sig", "replace").partition("\n")
    header, row = ([cell.strip(' "\r') for cell in line.split(",")] for line in (names, rest.partition("\n")[0]))
    column = next((column for column, name in layout.columns.items() if name == "date"), "")
    if column not in header or len(row) <= header.index(column):
        return None
    try:
        return datetime.strptime(row[header.index(column)].title(), layout.row_day_format).date()
    except ValueError:
        return None
