"""Downloads killed at any moment: no reader ever sees a part, and the next download completes the folder."""

import random
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest

from market_data.prices.bars import checked_bars
from market_data.providers import SourceUnreadable
from market_data.providers.nse import lists
from market_data.providers.nse.archive import NseArchive
from market_data.providers.nse.download import ArchiveDownload, Hosts, Politeness
from market_data.providers.simulator import Simulator, simulated_sessions, write_archive
from tests.market_data.providers.nse.download.exchange_server import Handler, serving

pytestmark = pytest.mark.crash
DAY = date(2024, 3, 11)
ROUNDS, SEED = 15, 1

SCRIPT = """
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from market_data.providers.nse.download import ArchiveDownload, Hosts, Politeness
from market_data.providers.simulator import simulated_sessions
download = ArchiveDownload(Path(sys.argv[1]), Hosts(sys.argv[2], sys.argv[2]), Politeness(wait_seconds=0.0), days=40)
print("begun", flush=True)
download.download_missing(
    date(2024, 2, 12), date(2024, 3, 11), simulated_sessions, datetime.now(UTC), lambda done, total: None, again=True
)
"""


def in_pieces(handler: Handler, content: bytes) -> None:
    """A whole answer in small pieces, so that there is a middle to be killed in."""
    if not content:
        handler.send(404)
        return
    handler.send(200, b"", {"Content-Length": len(content)})
    for start in range(0, len(content), 2048):
        handler.wfile.write(content[start : start + 2048])
        time.sleep(0.002)


def check_whole(root: Path) -> int:
    """Read everything that a reader could take; return the number of daily files."""
    feed = NseArchive(root, download=ArchiveDownload(root, Hosts("", ""), Politeness(), days=1))
    for session in feed.sessions(None, DAY):
        bars, rejects = checked_bars(feed.bars(session).frame, session=session)
        assert rejects.empty
        assert len(bars) > 50
    lists.listed_actions(root / "lists")
    lists.listed_equities(root / "lists")
    for _, pack in lists.report_packs(root / "reports"):
        assert len(lists.daily_facts(pack)) > 50
    return len(feed.sessions(None, DAY))


def test_a_killed_download_leaves_nothing_that_is_not_whole(tmp_path: Path) -> None:
    market = Simulator(symbols=90, sessions=30, seed=3)
    published, root = tmp_path / "published", tmp_path / "archive"
    root.mkdir()
    write_archive(market, published, simulated_sessions(date(2024, 2, 12), DAY))
    chance, killed = random.Random(SEED), 0
    with serving(published) as exchange:
        exchange.faults = {"csv|zip|api": in_pieces}
        command = [sys.executable, "-c", SCRIPT, str(root), exchange.address]
        for _ in range(ROUNDS):
            process = subprocess.Popen(command, stdout=subprocess.PIPE)
            with process:
                assert process.stdout is not None
                process.stdout.readline()
                time.sleep(chance.uniform(0.0, 0.5))
                process.send_signal(signal.SIGKILL)
                killed += process.wait() == -signal.SIGKILL
            try:
                check_whole(root)
            except SourceUnreadable as error:
                pytest.fail(f"A reader saw a part: {error}")
        exchange.faults = {}
        subprocess.run(command, check=True, capture_output=True)
        assert check_whole(root) == len(simulated_sessions(date(2024, 2, 12), DAY))
        assert not list(root.rglob(".download"))
    assert killed > ROUNDS // 2
