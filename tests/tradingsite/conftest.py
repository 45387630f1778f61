"""Folders that a server under another account can reach."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tradingsite.embedded.files import remove


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder for servers; pytest's own are closed to other accounts each time a run starts beside this one."""
    with tempfile.TemporaryDirectory(prefix="nse-servers-", ignore_cleanup_errors=True) as directory:
        yield Path(directory) / "servers"
        remove(Path(directory) / "servers")
