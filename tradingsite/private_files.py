"""What only the account of the site may read: `.env`, `var/`, logs, back-ups.

New files are closed by the umask of `manage.py` and `wsgi.py`; `exports/` is for everybody.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from django.conf import settings

from tradingsite.logs import FILES

_READ_OR_WRITE: Final = 0o066
"""Of group and others. Passing through a folder stays allowed: the account of an embedded PostgreSQL may need it."""


def tighten() -> None:
    """Close to others what an older version, or a laxer umask, left open; only what is the system's and belongs to us.

    A folder is the system's inside the checkout; one that a setting names elsewhere may be shared, and stays as it is.
    """
    for path in (*_folders(), *_files()):
        with suppress(OSError):
            status = path.lstat()
            is_ours = status.st_uid == os.geteuid() and not stat.S_ISLNK(status.st_mode)
            if is_ours and status.st_mode & _READ_OR_WRITE:
                path.chmod(stat.S_IMODE(status.st_mode) & ~_READ_OR_WRITE)


def open_to_others() -> list[Path]:
    """Return the secret files and folders that accounts other than the owner's, and its group, can read or write."""
    secret = [settings.BASE_DIR / ".env", settings.VAR_DIR, settings.VAR_DIR / "secret_key"]
    secret += sorted(settings.BACKUP_DIR.glob("*.backup.zip"))
    return [path for path in secret if path.exists() and path.stat().st_mode & _READ_OR_WRITE & 0o007]


def _folders() -> Iterator[Path]:
    known = (settings.VAR_DIR, settings.LOG_FILE.parent, settings.BACKUP_DIR, settings.MODELS_DIR)
    return (path for path in known if path != settings.BASE_DIR and path.is_relative_to(settings.BASE_DIR))


def _files() -> Iterator[Path]:
    yield settings.VAR_DIR / "secret_key"
    for pattern in ("*.out", "*.log"):
        yield from settings.VAR_DIR.glob(pattern)
    for name in (settings.LOG_FILE.name, *FILES.values()):
        yield from settings.LOG_FILE.parent.glob(f"{name}*")
    yield from settings.BACKUP_DIR.glob("*.backup.zip")
