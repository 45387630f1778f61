"""A small disk for a round's database, which a fault fills to the last byte.

It is a tmpfs mounted in the drill's folder. Mounting needs root; without it the fault does not strike.
"""

import os
import subprocess
from pathlib import Path

import psycopg
from psycopg import sql

from tradingsite.embedded.files import ensure_server_account, make_private_directory

TABLESPACE = FOLDER = "small_disk"
_SPARE_BYTES = 64 * 2**20


class SmallDisk:
    """Mounts the disk and makes a tablespace on it.

    Parameters
    ----------
    folder : Path
        Mount point; created when missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ballast = folder / "ballast"

    def mount(self, server: "psycopg.Connection[tuple[object, ...]]", databases_bytes: int) -> bool:
        """Mount a disk for databases of this size with a tablespace on it; False where mounting is not allowed."""
        if os.geteuid() != 0:
            return False
        self._folder.mkdir(parents=True)
        size = databases_bytes + _SPARE_BYTES
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(self._folder)]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            return False
        tables = self._folder / "tables"
        make_private_directory(tables, ensure_server_account())
        name = sql.Identifier(TABLESPACE)
        server.execute(sql.SQL("CREATE TABLESPACE {} LOCATION {}").format(name, sql.Literal(str(tables))))
        return True

    def fill(self) -> None:
        with self._ballast.open("ab") as ballast:
            while free := _free_bytes(self._folder):
                try:
                    os.posix_fallocate(ballast.fileno(), ballast.seek(0, os.SEEK_END), free)
                except OSError:  # the server took space in between: less is free now
                    continue

    def free_space(self) -> None:
        self._ballast.unlink(missing_ok=True)


def unmount(folder: Path) -> None:
    """Unmount the disk, if there is one; call after the server has stopped."""
    if folder.is_mount():
        subprocess.run(["umount", str(folder)], check=True)


def _free_bytes(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize
