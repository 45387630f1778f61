"""Worker identities, from which the same machine can tell whether the worker's process still exists.

A lease covers a worker whose fate is unknown. Where its process provably no longer exists, nobody need wait for the
lease to expire. The proof rests on no clock: a process is told apart by the machine's boot and its start in ticks since
that boot, which stay the same however the time of day is set.

Only Linux offers these facts (/proc). Elsewhere a process is named by the time of its start, which moves with the
clock: there nothing is ever proved, and the lease alone decides.
"""

import os
import pwd
import socket
from pathlib import Path
from typing import Final, NamedTuple

import psutil

_PROC: Final = Path("/proc")
_BOOT_ID: Final = Path("sys/kernel/random/boot_id")
_DEAD: Final = ("Z", "X")
"""States of a process that has ended and is still listed."""


class _Identity(NamedTuple):
    """The parts of a worker's identity, joined by colons; a colon occurs in none of them."""

    host: str
    pid: str
    boot: str  # of the machine; empty where there is no /proc
    start: str  # ticks since that boot; without one, the second of the start
    namespace: str  # of the process id: containers on one host may give the same id to different processes


class _Process(NamedTuple):
    state: str
    start: str


def identity() -> str:
    """Return this process's identity: host, process id, boot, start, and the namespace of the process id."""
    return identity_of(os.getpid())


def identity_of(pid: int) -> str:
    """Return the identity of a process of this host and namespace; psutil.NoSuchProcess when there is none."""
    # Not cached: a forked child would inherit it, and a process id is used again.
    process = _listed_process(pid)
    start = process.start if process else f"{psutil.Process(pid).create_time():.0f}"
    return ":".join(_Identity(socket.gethostname(), str(pid), _boot() if process else "", start, _namespace()))


def machine_account() -> str:
    """Return the account that runs this process, by the system's own answer, not by a variable."""
    uid = os.getuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a container's uid may have no name
        return f"uid {uid}"


def process_id(worker: str) -> int | None:
    """Return a worker's process id; None if the worker belongs to another host."""
    host, _, rest = worker.partition(":")
    pid = rest.partition(":")[0]
    return int(pid) if host == socket.gethostname() and pid.isdigit() else None


def has_ended(worker: str) -> bool:
    """Whether a worker's process provably no longer exists; False where this process cannot tell.

    A host's name proves nothing (two machines may share it), a boot does. A name stored by an earlier version has
    another form and proves nothing either.
    """
    parts, pid = worker.split(":"), process_id(worker)
    if pid is None or len(parts) != len(_Identity._fields):
        return False
    other = _Identity(*parts)
    if not other.boot or (other.boot, other.namespace) != (_boot(), _namespace()):
        return False
    process = _listed_process(pid)
    if process is None:
        return _is_unused(pid)
    return process.state in _DEAD or process.start != other.start


def _listed_process(pid: int) -> _Process | None:
    """Return what /proc says about a process; None where it is not listed."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The second field is the program's name in parentheses, which may itself hold blanks and parentheses.
    fields = text.rpartition(")")[2].split()
    return _Process(state=fields[0], start=fields[19])  # the third and the twenty-second field of all


def _is_unused(pid: int) -> bool:
    """Whether no process has this id: /proc may hide those of other accounts."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False  # it exists and is another account's, or no such id is possible
    return False


def _boot() -> str:
    try:
        return (_PROC / _BOOT_ID).read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _namespace() -> str:
    try:
        return str((_PROC / "self/ns/pid").stat().st_ino)
    except OSError:
        return "0"
