"""The folder's side of a download: one at a time, work files that no reader takes, whole files or none, a memory.

A file is written in a work folder beside its place, flushed to the disk, and renamed over: a reader sees the old file
or the new one. What a killed download leaves is in those work folders, which the next one empties.
"""

import contextlib
import errno
import fcntl
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from market_data.providers import ProviderError, TransientProviderError
from market_data.providers.nse.download.transfer import Validators
from market_data.providers.nse.files import LAYOUTS, Layout, layout_of
from stocks.storage.durable_files import LEFTOVERS, move_into_place, replace_file

BARS, LISTS, REPORTS = "bhavcopy", "lists", "reports"
_WORK, _LOCK, _MEMORY = ".download", ".download.lock", ".download.json"
_LOCK_POLL_SECONDS = 0.1


class Busy(TransientProviderError):
    """Another download is at work in the folder."""

    runbook = ""


@dataclass(frozen=True)
class Fetched:
    """What is remembered of a file that was downloaded."""

    checked_at: datetime
    validators: Validators = field(default_factory=Validators)


def daily_files(folder: Path) -> dict[date, tuple[Path, Layout]]:
    """Recognise the daily files of a folder; of several for one date the layout that tells most wins."""
    found: dict[date, tuple[Path, Layout]] = {}
    for path in sorted(folder.iterdir()):
        recognised = layout_of(path.name)
        if recognised is None:
            continue
        layout, day = recognised
        if day not in found or LAYOUTS.index(layout) < LAYOUTS.index(found[day][1]):
            found[day] = (path, layout)
    return found


class Shelf:
    """The folder of the archive as a place to put files.

    Parameters
    ----------
    root
        The folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def alone(self, patience_seconds: float) -> Iterator[None]:
        """Hold the folder's lock; what a killed download left is removed first, what this one leaves last.

        Raises
        ------
        Busy
            When another download holds it for longer than the patience lasts.
        ProviderError
            When the folder cannot be written.
        """
        with _said(self.root), (self.root / _LOCK).open("a") as lock:
            self._take(lock.fileno(), patience_seconds)
            self._sweep()
            try:
                yield
            finally:
                self._sweep()

    def _take(self, lock: int, patience_seconds: float) -> None:
        ends_at = time.monotonic() + patience_seconds
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > ends_at:
                    raise Busy(f"Another download is at work in {self.root}; wait for it, then try again.") from None
                time.sleep(_LOCK_POLL_SECONDS)

    def _sweep(self) -> None:
        for folder in (self.root, *(self.root / name for name in (BARS, LISTS, REPORTS))):
            shutil.rmtree(folder / _WORK, ignore_errors=True)
        for path in self.root.glob(LEFTOVERS):
            path.unlink(missing_ok=True)

    def workplace(self, name: str) -> Path:
        """Return an empty folder for unfinished files, on the same disk as ``name`` below the root."""
        folder = self.root / name / _WORK
        with _said(self.root):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        return folder

    def put(self, finished: Path, place: Path) -> None:
        """Move a finished file or folder of files to its place in one step, after it has reached the disk."""
        with _said(self.root):
            move_into_place(finished, place)

    def bars_stored(self, *, all_series: bool) -> dict[date, tuple[Path, Layout]]:
        """Return the daily file of each date, the folder that takes precedence last."""
        folders = [self.root, self.root / BARS, *([self.root / "bhavcopy_all_series"] if all_series else [])]
        found: dict[date, tuple[Path, Layout]] = {}
        for folder in folders:
            if folder.is_dir():
                found.update(daily_files(folder))
        return found


class Memory:
    """What earlier downloads learnt, in a small file: versions of files, and what was not there when it was asked for.

    It is a convenience: without it, or with a broken one, more is asked for than needed.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / _MEMORY
        self.fetched: dict[str, Fetched] = {}
        self.absent: dict[str, datetime] = {}
        self.stay_away_until: datetime | None = None
        self._read()

    def was_asked(self, name: str, now: datetime, age: timedelta) -> bool:
        """Whether a file was looked for within the last ``age``, found or not."""
        times = [self.fetched[name].checked_at] if name in self.fetched else []
        times += [self.absent[name]] if name in self.absent else []
        return any(now - asked < age for asked in times)

    def note(self, name: str, now: datetime, validators: Validators) -> None:
        """Remember a file that was found or is unchanged."""
        self.absent.pop(name, None)
        self.fetched[name] = Fetched(now, validators)
        self.save()

    def note_absent(self, name: str, now: datetime) -> None:
        """Remember that there is no such file."""
        self.absent[name] = now
        self.save()

    def forget_before(self, moment: datetime) -> None:
        """Drop versions of files last looked at before a moment: those are not asked for again."""
        self.fetched = {name: one for name, one in self.fetched.items() if one.checked_at >= moment}

    def save(self) -> None:
        """Write the memory in one step."""
        told: dict[str, Any] = {
            "fetched": {
                name: {"checked_at": one.checked_at.isoformat(), **asdict(one.validators)}
                for name, one in self.fetched.items()
            },
            "absent": {name: asked.isoformat() for name, asked in self.absent.items()},
            "stay_away_until": self.stay_away_until.isoformat() if self.stay_away_until else None,
        }
        with _said(self._path.parent), replace_file(self._path) as temporary:
            temporary.write_text(json.dumps(told, indent=1), encoding="utf-8")

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
            told = json.loads(self._path.read_text(encoding="utf-8"))
            fetched = {
                name: Fetched(datetime.fromisoformat(one["checked_at"]), Validators(one["etag"], one["last_modified"]))
                for name, one in told["fetched"].items()
            }
            absent = {name: datetime.fromisoformat(asked) for name, asked in told["absent"].items()}
            until = told["stay_away_until"]
            self.stay_away_until = datetime.fromisoformat(until) if until else None
            self.fetched, self.absent = fetched, absent


@contextmanager
def _said(root: Path) -> Iterator[None]:
    """Turn what the disk says into a sentence with a remedy."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "free some space" if full else "let this account write there"
        raise ProviderError(
            f"{root} cannot be written ({error.strerror or error}): {remedy}, or set NSE_ARCHIVE_DIR to another folder."
        ) from error
