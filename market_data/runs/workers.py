"""Who works on a step: a name that tells, on the same machine, whether its process still exists.

A lease protects against a worker whose fate is unknown. Where the worker's process provably no longer exists, nobody
has to wait for the lease. Should the proof be wrong all the same (a clock set back by minutes), the step's fence
refuses whoever comes late: nothing but work is lost.
"""

import os
import socket
from functools import cache
from pathlib import Path

import psutil

_SAME_START_SECONDS = 2.0


def identity() -> str:
    """Return this process's name: host, process id, its start, and the namespace in which that id means something."""
    return _identity_of(os.getpid())


@cache
def _identity_of(pid: int) -> str:
    # By process id, so that a forked child does not inherit its parent's name.
    return f"{socket.gethostname()}:{pid}:{psutil.Process(pid).create_time():.0f}:{_namespace()}"


def process_id(worker: str) -> int | None:
    """Return a worker's process id if it lives, or lived, on this host."""
    host, _, rest = worker.partition(":")
    pid = rest.partition(":")[0]
    return int(pid) if host == socket.gethostname() and pid.isdigit() else None


def has_ended(worker: str) -> bool:
    """Whether a worker's process provably no longer exists; False wherever that cannot be told from here."""
    parts = worker.split(":")
    pid = process_id(worker)
    if pid is None or len(parts) != 4 or parts[3] != _namespace():
        return False
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return True
        return abs(process.create_time() - float(parts[2])) > _SAME_START_SECONDS
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False


def _namespace() -> str:
    """Return the number of this process's pid namespace: containers of one host count their processes apart."""
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return "0"  # no such thing outside of Linux
