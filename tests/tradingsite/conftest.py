"""Folders that a server under another account can reach."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tradingsite.embedded.files import made_directory, remove
from tradingsite.embedded.servers import EmbeddedServers


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder for servers; pytest's own are closed to other accounts each time a run starts beside this one."""
    with tempfile.TemporaryDirectory(prefix="nse-servers-", ignore_cleanup_errors=True) as directory:
        yield Path(directory) / "servers"
        remove(Path(directory) / "servers")


@pytest.fixture(scope="session")
def initialised_data() -> Iterator[Path]:
    """A data folder of a server that was started once."""
    with tempfile.TemporaryDirectory(prefix="nse-servers-", ignore_cleanup_errors=True) as directory:
        servers = Path(directory) / "servers"
        with EmbeddedServers(servers, durable=False, with_valkey=False):
            pass
        yield servers / "postgres"
        remove(servers)


@pytest.fixture
def initialised(place: Path, initialised_data: Path) -> Path:
    """The folder for servers with a copied data folder, because initdb takes a second each time."""
    made_directory(place)
    subprocess.run(["cp", "-a", str(initialised_data), str(place / "postgres")], check=True)
    return place
