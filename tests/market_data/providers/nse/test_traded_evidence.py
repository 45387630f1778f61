"""Sums of what daily files tell, kept by years, say what the files say."""

import os
import shutil
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from market_data.providers.nse.archive import NseArchive
from market_data.providers.simulator import Incident, Simulator, simulated_sessions, write_archive

DAYS = simulated_sessions(date(2022, 12, 19), date(2023, 1, 10))
INCIDENTS = (Incident("surveillance", DAYS[3], 4, 20), Incident("listing", DAYS[-2], 7))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen securities, from one year into the next, with ISINs in the files of January."""
    market = Simulator(16, len(DAYS), 3, series="all", incidents=INCIDENTS)
    folder = tmp_path_factory.mktemp("written")
    write_archive(market, folder, [day for day in DAYS if day.year == 2022], lists=False)
    write_archive(market, folder, [day for day in DAYS if day.year == 2023], layout="cm", lists=False)
    return folder


@pytest.fixture
def exchange(written: Path, tmp_path: Path) -> Path:
    """A private copy of the archive."""
    return Path(shutil.copytree(written, tmp_path / "exchange"))


def listed(exchange: Path, day: date, memory: Path | None) -> pd.DataFrame:
    return NseArchive(exchange, memory=memory).listed_symbols(day)


def same_as_without(exchange: Path, day: date, memory: Path) -> bool:
    pd.testing.assert_frame_equal(listed(exchange, day, memory), listed(exchange, day, None))
    return True


def files_of(exchange: Path) -> list[Path]:
    return sorted((exchange / "bhavcopy").iterdir())


def test_evening_after_evening_is_the_whole(exchange, tmp_path):
    kinds = set()
    for day in DAYS:
        with_memory = listed(exchange, day, tmp_path / "memory")
        pd.testing.assert_frame_equal(with_memory, listed(exchange, day, None))
        kinds |= set(with_memory["source"])
    assert len(kinds) > 3, "several kinds of evidence spoke"


def test_what_was_summed_is_not_opened_again(exchange, tmp_path):
    known = listed(exchange, DAYS[-1], tmp_path / "memory")
    for path in files_of(exchange):
        state = path.stat()
        path.write_bytes(b"x" * state.st_size)
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    pd.testing.assert_frame_equal(listed(exchange, DAYS[-1], tmp_path / "memory"), known)
    assert listed(exchange, DAYS[-1], None).empty


def test_a_revised_file_and_one_that_comes_late_count(exchange, tmp_path):
    late = next(path for path in files_of(exchange) if "_22122022" in path.name)
    content = late.read_bytes()
    late.unlink()
    same_as_without(exchange, DAYS[-1], tmp_path / "memory")
    late.write_bytes(content.replace(b" EQ,", b" BE,", 4))
    assert same_as_without(exchange, DAYS[-1], tmp_path / "memory")
    late.write_bytes(content)
    assert same_as_without(exchange, DAYS[-1], tmp_path / "memory")


def test_an_earlier_day_does_not_shorten_what_is_kept(exchange, tmp_path):
    memory = tmp_path / "memory"
    same_as_without(exchange, DAYS[-1], memory)
    kept = {path: path.read_bytes() for path in memory.iterdir()}
    assert same_as_without(exchange, DAYS[5], memory)
    assert same_as_without(exchange, DAYS[-3], memory)
    assert {path: path.read_bytes() for path in memory.iterdir()} == kept


@pytest.mark.parametrize("damage", [b"", b"PAR1 nothing", b"not parquet"])
def test_a_damaged_sum_is_made_again(exchange, tmp_path, damage):
    memory = tmp_path / "memory"
    listed(exchange, DAYS[-1], memory)
    for path in memory.iterdir():
        path.write_bytes(damage)
    assert same_as_without(exchange, DAYS[-1], memory)


def test_where_nothing_can_be_kept_the_answer_is_the_same(exchange, tmp_path):
    (tmp_path / "memory").write_text("a file in the place of the folder")
    assert same_as_without(exchange, DAYS[-1], tmp_path / "memory")
