"""After any bad answer: no file is stored, a sentence says why, and the next download succeeds."""

import logging
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from market_data.providers import SessionNotAvailable
from market_data.providers.nse.archive import NseArchive
from market_data.providers.nse.download import ArchiveDownload, Hosts, Politeness
from market_data.providers.simulator import Simulator, simulated_sessions, write_archive
from tests.market_data.providers.nse.download.bad_answers import CSV, ZIP, BadAnswer, answers
from tests.market_data.providers.nse.download.exchange_server import Exchange, serving

DAY = date(2024, 3, 11)
NOW = datetime(2024, 3, 11, 15, 30, tzinfo=UTC)
PATIENT = Politeness(wait_seconds=0, attempts=2, max_bytes=2_000_000)
IMPATIENT = replace(PATIENT, timeout_seconds=0.3, file_seconds=0.6)
SLOW = {"dripping", "dripping headers", "silent", "silent in the middle"}


@pytest.fixture(scope="module")
def market() -> Simulator:
    return Simulator(symbols=90, sessions=30, seed=3)


@pytest.fixture(scope="module")
def published(market: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the exchange has: two sessions, the last in two layouts, and the lists."""
    folder = tmp_path_factory.mktemp("published")
    write_archive(market, folder, market.sessions(None, DAY)[-2:])
    write_archive(market, folder, [DAY], layout="cm", lists=False)
    shutil.rmtree(folder / "reports")
    return folder


@pytest.fixture
def exchange(published: Path) -> Iterator[Exchange]:
    with serving(published) as server:
        yield server


@pytest.fixture(scope="module")
def yesterday(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive as yesterday's download left it."""
    root = tmp_path_factory.mktemp("yesterday")
    with serving(published) as exchange:
        fetch(downloading(root, exchange), DAY - timedelta(days=3))
    assert len(files(root)) == 6
    return root


@pytest.fixture
def archive(yesterday: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may spoil."""
    return shutil.copytree(yesterday, tmp_path / "archive")


def downloading(root: Path, exchange: Exchange, politeness: Politeness = PATIENT) -> NseArchive:
    hosts = Hosts(exchange.address, exchange.address)
    return NseArchive(root, download=ArchiveDownload(root, hosts, politeness, days=3))


def fetch(feed: NseArchive, session: date = DAY, now: datetime = NOW) -> None:
    feed.fetch(session, simulated_sessions, now, lambda done, total: None)


def files(root: Path) -> dict[str, bytes]:
    """Every file that a reader could take."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name not in (".download.json", ".download.lock")
    }


@pytest.mark.parametrize("name", [*CSV, *ZIP])
def test_a_bad_answer_leaves_no_file_and_names_the_problem(
    archive: Path, exchange: Exchange, name: str, market: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    bad: BadAnswer = CSV[name] if name in CSV else ZIP[name]
    caplog.set_level(logging.DEBUG)
    only_zip = {"bhavdata": answers(404)} if name in ZIP else {}
    exchange.faults |= {"bhavdata|bhav.csv": bad.fault} if not only_zip else only_zip | {"bhav.csv": bad.fault}
    before = files(archive)
    feed = downloading(archive, exchange, IMPATIENT if name in SLOW else PATIENT)
    with pytest.raises(SessionNotAvailable, match=f"(?s)^There is no daily file for {DAY}.*({bad.message})") as error:
        fetch(feed)
    assert error.value.args[0].endswith((".", ")"))
    assert files(archive) == before
    assert not list(archive.rglob(".download"))
    assert DAY not in feed.sessions(None, DAY)
    assert "secret" not in caplog.text
    assert "secret" not in str(error.value)
    assert "abc" not in str(error.value).replace("abcd", ""), "no query of a redirect is repeated"

    exchange.faults = {**only_zip}
    feed = downloading(archive, exchange)
    # A long Retry-After is obeyed.
    fetch(feed, now=NOW + timedelta(minutes=61))
    assert len(feed.bars(DAY).frame) == len(market.bars(DAY).frame)
