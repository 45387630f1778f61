"""Folders that a server of another account can reach."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tradingsite.embedded.files import make_directory, remove_directory
from tradingsite.embedded.servers import EmbeddedServers


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder for servers; pytest closes its own to other accounts whenever another run starts."""
    with tempfile.TemporaryDirectory(prefix="nse-servers-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o711)
        yield Path(directory) / "servers"
        remove_directory(Path(directory) / "servers")


@pytest.fixture(scope="session")
def initialised_data() -> Iterator[Path]:
    """The data folder of a server that was started once."""
    with tempfile.TemporaryDirectory(prefix="nse-servers-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o711)
        servers = Path(directory) / "servers"
        with EmbeddedServers(servers, durable=False, with_valkey=False):
            pass
        yield servers / "postgres"
        remove_directory(servers)


@pytest.fixture
def initialised(place: Path, initialised_data: Path) -> Path:
    """A folder for servers with a copied data folder: initdb takes a second each time."""
    make_directory(place)
    subprocess.run(["cp", "-a", str(initialised_data), str(place / "postgres")], check=True)
    return place
