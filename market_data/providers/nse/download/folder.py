"""The archive's folder during a download: one download at a time, hidden work folders, whole files or none, a log.

A file is written in a work folder beside its final place, flushed to the disk and renamed: a reader sees the old file
or the new one. Work folders that a killed download left behind are removed by the next one.
"""

import contextlib
import fcntl
import json
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

from market_data.providers import ProviderError, TransientProviderError
from market_data.providers.nse.download.client import Validators
from market_data.providers.nse.file_days import other_days
from market_data.providers.nse.files import LAYOUTS, Layout, layout_of
from stocks.storage.durable_files import LEFTOVERS, is_disk_full, move_into_place, replace_file

BARS, LISTS, REPORTS = "bhavcopy", "lists", "reports"
_WORK, _LOCK, _LOG = ".download", ".download.lock", ".download.json"
_LOCK_POLL_SECONDS = 0.1


class Busy(TransientProviderError):
    """Another download holds the folder's lock."""

    runbook = ""


@dataclass(frozen=True)
class DownloadedFile:
    """What is remembered of a downloaded file."""

    checked_at: datetime
    validators: Validators = field(default_factory=Validators)


def daily_files(folders: Sequence[Path]) -> dict[date, list[tuple[Path, Layout]]]:
    """Return the daily files of each date according to their names, the preferred one first.

    Files of later folders come before those of earlier ones, and in a folder the layout with most columns.
    """
    files: dict[date, list[tuple[Path, Layout]]] = {}
    for folder in reversed(folders):
        named = [(path, layout_of(path.name)) for path in sorted(folder.iterdir())]
        recognised = [(LAYOUTS.index(name[0]), name[1], path) for path, name in named if name is not None]
        for place, day, path in sorted(recognised):
            files.setdefault(day, []).append((path, LAYOUTS[place]))
    return files


def file_of_day(files: Iterable[tuple[Path, Layout]]) -> tuple[Path, Layout] | None:
    """Return the first of a date's files that does not hold another day: proof is the date inside, not the name."""
    return next((file for file in files if not other_days(file[0])), None)


class ArchiveFolder:
    """The archive as a place to put files."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def locked(self, patience_seconds: float) -> Iterator[None]:
        """Hold the folder's lock, and remove work folders before and after.

        Raises Busy when another download holds the lock for longer than the patience lasts, ProviderError when the
        folder cannot be written.
        """
        with _as_provider_error(self.root), (self.root / _LOCK).open("a") as lock:
            self._acquire(lock.fileno(), patience_seconds)
            self._remove_work_folders()
            try:
                yield
            finally:
                self._remove_work_folders()

    def _acquire(self, lock: int, patience_seconds: float) -> None:
        ends_at = time.monotonic() + patience_seconds
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > ends_at:
                    raise Busy(f"Another download is running in {self.root}; wait for it, then try again.") from None
                time.sleep(_LOCK_POLL_SECONDS)

    def _remove_work_folders(self) -> None:
        for folder in (self.root, *(self.root / name for name in (BARS, LISTS, REPORTS))):
            shutil.rmtree(folder / _WORK, ignore_errors=True)
        for leftover in self.root.glob(LEFTOVERS):
            leftover.unlink(missing_ok=True)

    def work_folder(self, name: str) -> Path:
        """Return an empty folder for unfinished files, on the same disk as ``name`` below the root."""
        folder = self.root / name / _WORK
        with _as_provider_error(self.root):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        return folder

    def put(self, finished: Path, place: Path) -> None:
        """Move a finished file or folder to its final place in one step."""
        with _as_provider_error(self.root):
            move_into_place(finished, place)

    def stored_bars(self, *, all_series: bool) -> dict[date, tuple[Path, Layout]]:
        """Return the daily file of each date that has one; later folders take precedence."""
        folders = [self.root, self.root / BARS, *([self.root / "bhavcopy_all_series"] if all_series else [])]
        named = daily_files([folder for folder in folders if folder.is_dir()])
        stored = {day: file_of_day(files) for day, files in named.items()}
        return {day: file for day, file in stored.items() if file is not None}


class DownloadLog:
    """What earlier downloads learnt, in a small file: versions of files, and files that were absent.

    It only saves requests: without it, or with a damaged one, more is requested than needed.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / _LOG
        self.files: dict[str, DownloadedFile] = {}
        self.absent: dict[str, datetime] = {}
        self.stay_away_until: datetime | None = None
        self._read()

    def was_requested(self, name: str, now: datetime, age: timedelta) -> bool:
        """Whether a file was requested within the last ``age``, absent or not."""
        times = [self.files[name].checked_at] if name in self.files else []
        times += [self.absent[name]] if name in self.absent else []
        return any(now - moment < age for moment in times)

    def record_file(self, name: str, now: datetime, validators: Validators) -> None:
        self.absent.pop(name, None)
        self.files[name] = DownloadedFile(now, validators)
        self.save()

    def record_absent(self, name: str, now: datetime) -> None:
        """Record that the exchange has no such file."""
        self.absent[name] = now
        self.save()

    def forget_before(self, moment: datetime) -> None:
        """Drop versions last checked before a moment: those files are not requested again."""
        self.files = {name: file for name, file in self.files.items() if file.checked_at >= moment}

    def save(self) -> None:
        content = {
            "fetched": {
                name: {"checked_at": file.checked_at.isoformat(), **asdict(file.validators)}
                for name, file in self.files.items()
            },
            "absent": {name: moment.isoformat() for name, moment in self.absent.items()},
            "stay_away_until": self.stay_away_until.isoformat() if self.stay_away_until else None,
        }
        with _as_provider_error(self._path.parent), replace_file(self._path) as path:
            path.write_text(json.dumps(content, indent=1), encoding="utf-8")

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
            content = json.loads(self._path.read_text(encoding="utf-8"))
            files = {
                name: DownloadedFile(
                    datetime.fromisoformat(file["checked_at"]), Validators(file["etag"], file["last_modified"])
                )
                for name, file in content["fetched"].items()
            }
            absent = {name: datetime.fromisoformat(moment) for name, moment in content["absent"].items()}
            until = content["stay_away_until"]
            self.stay_away_until = datetime.fromisoformat(until) if until else None
            self.files, self.absent = files, absent


@contextmanager
def _as_provider_error(root: Path) -> Iterator[None]:
    """Turn an error of the disk into a sentence with a remedy."""
    try:
        yield
    except OSError as error:
        remedy = "free some space" if is_disk_full(error) else "let this account write there"
        raise ProviderError(
            f"{root} cannot be written ({error.strerror or error}): {remedy}, or set NSE_ARCHIVE_DIR to another folder."
        ) from error
