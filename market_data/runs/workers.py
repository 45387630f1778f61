"""Worker identities, from which the same machine can tell whether the worker's process still exists.

A lease covers a worker whose fate is unknown. Where its process provably no longer exists, nobody need wait for the
lease to expire. Should that proof ever be wrong (a clock set back by minutes), the step's fence still refuses the late
worker: only work is lost.
"""

import os
import socket
from functools import cache
from pathlib import Path

import psutil

_SAME_START_SECONDS = 2.0


def identity() -> str:
    """Return this process's identity: host, process id, start time, and the namespace of the process id."""
    return identity_of(os.getpid())


@cache
def identity_of(pid: int) -> str:
    """Return the identity of a process of this host and namespace."""
    # Cached by process id, so that a forked child does not inherit its parent's identity.
    return f"{socket.gethostname()}:{pid}:{psutil.Process(pid).create_time():.0f}:{_namespace()}"


def process_id(worker: str) -> int | None:
    """Return a worker's process id; None if the worker belongs to another host."""
    host, _, rest = worker.partition(":")
    pid = rest.partition(":")[0]
    return int(pid) if host == socket.gethostname() and pid.isdigit() else None


def has_ended(worker: str) -> bool:
    """Whether a worker's process provably no longer exists; False where this process cannot tell."""
    parts = worker.split(":")
    pid = process_id(worker)
    if pid is None or len(parts) != 4 or parts[3] != _namespace():
        return False
    try:
        process = psutil.Process(pid)
        is_zombie = process.status() == psutil.STATUS_ZOMBIE
        return is_zombie or abs(process.create_time() - float(parts[2])) > _SAME_START_SECONDS
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False


def _namespace() -> str:
    # Containers on one host may give the same process id to different processes.
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return "0"  # only Linux has namespaces
