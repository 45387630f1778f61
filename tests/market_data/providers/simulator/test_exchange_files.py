"""The files that the simulator writes look as the exchange's do; that they are read back is the archive's test."""

import zipfile
from datetime import date
from pathlib import Path

import pytest

from market_data.providers.nse.files import CM, FULL, UDIFF, layout_of
from market_data.providers.simulator import Incident, Simulator, write_archive

DAY = date(2024, 3, 11)


@pytest.fixture(scope="module")
def market() -> Simulator:
    moved = Incident("surveillance", DAY, 4, length=3)
    return Simulator(symbols=30, seed=6, series="all", incidents=(moved,), own_incidents=())


def test_a_full_file_is_padded_and_has_no_deliveries_in_be(market, tmp_path):
    (path,) = write_archive(market, tmp_path, [DAY], lists=False)
    assert layout_of(path.name) == (FULL, DAY)
    header, bond, *lines = path.read_text().splitlines()
    assert header.startswith("SYMBOL, SERIES, DATE1, PREV_CLOSE")
    assert bond.split(", ")[1] == "GS"
    assert len(lines) == len(market.bars(DAY).frame)
    moved = next(line for line in lines if ", BE, " in line)
    assert moved.endswith(", -, -")
    assert ", 11-Mar-2024, " in moved
    assert not (tmp_path / "lists").exists()


@pytest.mark.parametrize(("name", "layout"), [("cm", CM), ("udiff", UDIFF)])
def test_the_other_layouts_are_zipped_and_equal_in_bytes_when_written_again(market, tmp_path, name, layout):
    (path,) = write_archive(market, tmp_path, [DAY], layout=name)
    assert layout_of(path.name) == (layout, DAY)
    first = path.read_bytes()
    write_archive(market, tmp_path, [DAY], layout=name)
    assert path.read_bytes() == first
    with zipfile.ZipFile(path) as archive:
        (member,) = archive.namelist()
        header = archive.read(member).decode().splitlines()[0]
    assert set(layout.columns) <= set(header.split(","))


def test_lists_and_report_are_written_as_of_the_last_session(market, tmp_path):
    write_archive(market, tmp_path, market.sessions(DAY, date(2024, 3, 13)))
    assert (tmp_path / "lists" / "CF-CA-equities.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert [path.name for path in (tmp_path / "reports").iterdir()] == ["2024-03-13"]
    names = {path.name for path in (tmp_path / "reports" / "2024-03-13").iterdir()}
    assert names == {"mcap13032024.csv", "PE_130324.csv", "pd13032024.csv", "series_change.csv"}


def test_an_unknown_layout_is_refused_before_anything_is_written(market, tmp_path: Path):
    with pytest.raises(KeyError):
        write_archive(market, tmp_path, [DAY], layout="xml")
    assert not any(tmp_path.iterdir())
