"""One supervisor per directory, and no leftovers of a killed one."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

_KILL_SECONDS = 10.0
# Inherited by everything the supervisor starts, so that the leftovers of a killed one can be recognized.
_MARK = "SUPERVISED_BELOW"


class AlreadySupervisedError(Exception):
    """Another supervisor runs in this checkout."""


@contextmanager
def single_instance(directory: Path, message: str) -> Iterator[None]:
    """Lock the directory for this process, and kill what a killed predecessor left running.

    AlreadySupervisedError, with its pid and `message`, when another process has locked it.
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
        _kill_marked(directory)
        os.environ[_MARK] = str(directory)
        try:
            yield
        finally:
            _kill_marked(directory)


def _kill_marked(directory: Path) -> None:
    marked = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(_MARK) == str(directory):
                process.kill()
                marked.append(process)
        except (psutil.Error, OSError):
            continue  # has ended meanwhile, or is another account's
    await_end(marked)


def await_end(killed: Sequence[psutil.Process]) -> None:
    """Wait until killed processes have released what they held; ten seconds at most."""
    deadline = time.monotonic() + _KILL_SECONDS
    while any(map(_is_alive, killed)) and time.monotonic() < deadline:
        time.sleep(0.01)


def _is_alive(process: psutil.Process) -> bool:
    # A zombie counts as ended: an orphan's may never be reaped.
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
