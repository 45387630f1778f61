"""One supervisor a directory, and nothing left running of a killed one."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

_KILL_SECONDS = 10.0
# Inherited by everything that the supervisor starts, so that what a killed one left behind is known again.
_MARK = "SUPERVISED_BELOW"


class AlreadySupervisedError(Exception):
    """Another supervisor runs in this checkout."""


@contextmanager
def only_one(directory: Path, message: str) -> Iterator[None]:
    """Hold the directory for this process, and clear away what a killed predecessor left running.

    Raises
    ------
    AlreadySupervisedError
        When another process holds it; with its pid and `message`.
    """
    import fcntl

    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "supervisor.pid").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise AlreadySupervisedError(
                f"Already running in this checkout (process {file.read().strip()}): {message}"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        _end_marked(directory)
        os.environ[_MARK] = str(directory)
        try:
            yield
        finally:
            _end_marked(directory)


def _end_marked(directory: Path) -> None:
    marked = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(_MARK) == str(directory):
                process.kill()
                marked.append(process)
        except (psutil.Error, OSError):
            continue  # ended meanwhile, or not ours
    await_end(marked)


def await_end(killed: Sequence[psutil.Process]) -> None:
    """Wait for killed processes to have given back what they held; ten seconds at most."""
    deadline = time.monotonic() + _KILL_SECONDS
    while any(map(_is_alive, killed)) and time.monotonic() < deadline:
        time.sleep(0.01)


def _is_alive(process: psutil.Process) -> bool:
    """Whether it runs; an orphan's zombie, which nobody may ever collect, does not."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
