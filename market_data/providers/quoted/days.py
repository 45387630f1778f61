"""What a broker sent, a folder a day: its list of symbols as it came, and the quotes asked for after the close.

Each file is written whole and renamed, and never again that day, so that the evening can be run again from the folder.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from brokers.masters import MASTER_FILE
from brokers.plain_data import plain
from brokers.protocol import Instrument, Quotes
from market_data.providers import SourceFingerprint, SourceUnreadable
from stocks.storage.durable_files import replace_file

QUOTES = "quotes.json"

_LAYOUT: Final = 1
_UNNAMED: Final = {"series": None, "isin": None}


@dataclass(frozen=True)
class QuotedDay:
    """The quotes of an evening as stored.

    `rows` hold the fields of `Quote`, amounts as text, with series and ISIN of the day's list; `missing` are symbols of
    it that the broker did not know.
    """

    day: date
    asked_at: datetime
    rows: list[dict[str, Any]]
    missing: list[str]


class QuotedDays:
    """The folders of one broker; files of a name that is no day are left alone."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def sessions(self) -> list[date]:
        """Return the days with quotes, ascending."""
        if not self.root.is_dir():
            return []
        days = (_day_of(folder.name) for folder in self.root.iterdir() if (folder / QUOTES).is_file())
        return sorted(day for day in days if day)

    def has_quotes(self, day: date) -> bool:
        return self.file(day, QUOTES).is_file()

    def file(self, day: date, name: str) -> Path:
        return self.root / day.isoformat() / name

    def keep(self, day: date, name: str, content: bytes) -> None:
        """Write a file of a day."""
        with replace_file(self.file(day, name)) as temporary:
            temporary.write_bytes(content)

    def keep_quotes(self, day: date, asked_at: datetime, quotes: Quotes, instruments: Iterable[Instrument]) -> None:
        """Write a day's quotes, each with the series and ISIN of its instrument."""
        listed = {row.symbol: row for row in reversed(list(instruments))}
        rows = []
        for quote in quotes.rows:
            instrument = listed.get(quote.symbol)
            named = {"series": instrument.series, "isin": instrument.isin} if instrument else _UNNAMED
            rows.append(plain(quote) | named)
        content = {
            "layout": _LAYOUT,
            "day": day.isoformat(),
            "asked_at": asked_at.isoformat(),
            "rows": rows,
            "missing": list(quotes.missing),
        }
        self.keep(day, QUOTES, json.dumps(content, indent=0).encode())

    def quotes(self, day: date) -> QuotedDay:
        """Return a day's quotes; raises SourceUnreadable when the file is not as it was written."""
        path = self.file(day, QUOTES)
        try:
            content = json.loads(path.read_bytes())
            if content["layout"] != _LAYOUT or content["day"] != day.isoformat():
                raise ValueError(f"layout {content['layout']} of {content['day']}")
            return QuotedDay(
                day, datetime.fromisoformat(content["asked_at"]), list(content["rows"]), list(content["missing"])
            )
        except (ValueError, KeyError, TypeError) as error:
            raise SourceUnreadable(
                f"{path} is not the quotes of {day} ({error!r:.80}): restore it from a copy, or remove it and let the"
                " exchange's file of the day take its place."
            ) from error

    def fingerprint(self, day: date) -> SourceFingerprint:
        """Return the identity of a day's quotes."""
        path = self.file(day, QUOTES)
        state = path.stat()
        name = f"{self.root.name}/{day}/{QUOTES}"
        return SourceFingerprint(name, state.st_size, state.st_mtime_ns, path.read_bytes)

    def latest_master(self, as_of: date) -> tuple[date, bytes] | None:
        """Return the newest list of symbols that was kept by a day, with its day; None without one."""
        if not self.root.is_dir():
            return None
        kept = ((_day_of(folder.name), folder / MASTER_FILE) for folder in self.root.iterdir())
        days = sorted((day, path) for day, path in kept if day and day <= as_of and path.is_file())
        return (days[-1][0], days[-1][1].read_bytes()) if days else None


def _day_of(name: str) -> date | None:
    try:
        return date.fromisoformat(name) if len(name) == 10 else None
    except ValueError:
        return None
