"""A small disk of its own for a round's database, which a fault fills to the last byte.

It is a file system in memory, mounted in the drill's folder; mounting needs root, so elsewhere there is none.
"""

import os
import subprocess
from pathlib import Path

import psycopg
from psycopg import sql

from tradingsite.embedded.files import own, server_account

TABLESPACE = FOLDER = "small_disk"
_ROOM_BYTES = 64 * 2**20


class SmallDisk:
    """Mounts the disk and makes a tablespace on it.

    Parameters
    ----------
    folder : Path
        Where it is mounted; made when missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ballast = folder / "ballast"

    def mount(self, server: "psycopg.Connection[tuple[object, ...]]", databases_bytes: int) -> bool:
        """Make room for so many bytes of a database and a bit; False where mounting is not allowed."""
        if os.geteuid() != 0:
            return False
        self._folder.mkdir(parents=True)
        size = databases_bytes + _ROOM_BYTES
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(self._folder)]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            return False
        tables = self._folder / "tables"
        own(tables, server_account())
        name = sql.Identifier(TABLESPACE)
        server.execute(sql.SQL("CREATE TABLESPACE {} LOCATION {}").format(name, sql.Literal(str(tables))))
        return True

    def fill(self) -> None:
        """Leave no room at all."""
        with self._ballast.open("ab") as ballast:
            while free := _free_bytes(self._folder):
                try:
                    os.posix_fallocate(ballast.fileno(), ballast.seek(0, os.SEEK_END), free)
                except OSError:  # the server was faster: there is less than was asked for
                    continue

    def make_room(self) -> None:
        """Take out again what filled it."""
        self._ballast.unlink(missing_ok=True)


def unmount(folder: Path) -> None:
    """Take the disk away, if there is one; the server has stopped."""
    if folder.is_mount():
        subprocess.run(["umount", str(folder)], check=True)


def _free_bytes(folder: Path) -> int:
    there = os.statvfs(folder)
    return there.f_bavail * there.f_frsize
