"""The files of the embedded servers, and the account that owns them.

PostgreSQL refuses to run as root: for root it runs under an account of its own, which must reach its files. For an
ordinary user `server_account` is None and the server is simply theirs.
"""

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO

from django.core.exceptions import ImproperlyConfigured

ACCOUNT = "pgserver"
# A socket's path may have 107 characters on Linux and 103 on macOS; `.s.PGSQL.5432` and a slash take 14 of them.
_LONGEST_SOCKET_DIR = 86


class EmbeddedServerError(ImproperlyConfigured):
    """An embedded server is not installed, or did not start; the sentence says what to do."""


def socket_directory(directory: Path) -> Path:
    """The folder for a directory's sockets: ``run/`` in it, a link to a temporary folder where the path is too long.

    Parameters
    ----------
    directory : Path
        The servers' directory; it exists.

    Returns
    -------
    Path
        An absolute existing folder, short enough for a socket, with no character that PostgreSQL would split at.
    """
    run = directory.resolve() / "run"
    if len(str(run)) <= _LONGEST_SOCKET_DIR and re.fullmatch(r"[\w./+~@-]+", str(run), re.ASCII):
        return made_directory(run)
    if not run.is_dir():  # also when the link's folder was cleaned away
        run.unlink(missing_ok=True)
        run.symlink_to(tempfile.mkdtemp(prefix="nse-"))
    return run.resolve()


def remove(directory: Path) -> None:
    """Delete a stopped server's directory, and the temporary folder of its sockets if it has one."""
    shutil.rmtree((directory / "run").resolve(), ignore_errors=True)
    shutil.rmtree(directory, ignore_errors=True)


def made_directory(path: Path) -> Path:
    """The folder, made when missing; EmbeddedServerError when this account may not."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except PermissionError as error:
        raise EmbeddedServerError(f"{path} cannot be made: this account may not write there.") from error
    return path


def lock_file(path: Path) -> IO[str]:
    """An open file to lock; EmbeddedServerError when another account made it."""
    try:
        return path.open("a")
    except PermissionError as error:
        raise EmbeddedServerError(
            f"{path} belongs to another account. Use the account that started this checkout first, or another checkout."
        ) from error


def server_account() -> tuple[int, int] | None:
    """User and group id to run PostgreSQL under, made when missing; None when our own account serves.

    Raises
    ------
    EmbeddedServerError
        When we are root and the account can be neither found nor made.
    """
    if os.geteuid() != 0:
        return None
    if not _exists(ACCOUNT):
        try:
            subprocess.run(["useradd", "--system", "--no-create-home", ACCOUNT], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            if not _exists(ACCOUNT):  # another checkout may have made it meanwhile
                raise EmbeddedServerError(
                    f"PostgreSQL does not run as root, and the account `{ACCOUNT}` could not be made ({error}). "
                    f"Make it with `useradd {ACCOUNT}`, or run as an ordinary user."
                ) from error
    entry = pwd.getpwnam(ACCOUNT)
    return entry.pw_uid, entry.pw_gid


def own(path: Path, account: tuple[int, int] | None) -> None:
    """Make a folder that only the server's account (and root) may enter."""
    path.mkdir(mode=0o700, exist_ok=True)
    path.chmod(0o700)
    if account is not None:
        os.chown(path, *account)


def let_through(directory: Path, programs: Path) -> None:
    """Let the server's account pass through (not list) the folders above its data and programs, and run these."""
    for folder in {directory, programs, *directory.parents, *programs.parents}:
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o001)
    if not (programs / "postgres").stat().st_mode & 0o001:  # installed under a strict umask
        for file in (programs.parent, *programs.parent.rglob("*")):
            file.chmod(file.stat().st_mode | (0o005 if file.is_dir() or file.parent == programs else 0o004))


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
