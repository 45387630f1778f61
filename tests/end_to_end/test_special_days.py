"""Days that the exchange has wrong, or announces: set aside, fetched, and named where they are missing."""

import io
import json
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import override_settings

from market_data import trading_calendar
from market_data.models import DailyBar, Finding, MarketDay, SourceFile
from market_data.providers.simulator import Simulator, write_archive
from tests.end_to_end import evenings
from tests.market_data.providers.nse.download.exchange_server import Exchange, serving

pytestmark = pytest.mark.django_db

# In these weeks the simulated exchange and the real one, whose calendar rules, have the same holidays.
DAY, FRIDAY, SUNDAY, MONDAY = date(2023, 6, 27), date(2023, 6, 23), date(2023, 6, 25), date(2023, 6, 26)


@pytest.fixture(scope="module")
def market() -> Simulator:
    return Simulator(30, 9, 7)


@pytest.fixture
def folder(market: Simulator, tmp_path: Path) -> Path:
    """An archive of nine sessions."""
    folder = tmp_path / "exchange"
    write_archive(market, folder, market.sessions(None, DAY))
    return folder


def daily_file(folder: Path, day: date) -> Path:
    return folder / "bhavcopy" / f"sec_bhavdata_full_{day:%d%m%Y}.csv"


def as_of_day(path: Path, day: date, wanted: date) -> bytes:
    return path.read_bytes().replace(f"{day:%d-%b-%Y}".encode(), f"{wanted:%d-%b-%Y}".encode())


@pytest.mark.long
def test_fridays_file_under_sundays_name_is_left_aside_and_the_evening_goes_on(folder: Path, tmp_path: Path) -> None:
    shutil.copy(daily_file(folder, FRIDAY), daily_file(folder, SUNDAY))
    with evenings.reading_archive(folder, tmp_path):
        evenings.evening(DAY)
        finding = Finding.objects.get(check_name="source_misdated")
        assert f"{daily_file(folder, SUNDAY).name} holds {FRIDAY} although its name says {SUNDAY}" in finding.message
        assert not SourceFile.objects.filter(session=SUNDAY).exists()
        assert DailyBar.objects.filter(date=MONDAY).exists()
        assert trading_calendar.next_session(FRIDAY) == MONDAY
        # As a seed of the previous version stored it: the rerun takes it back.
        MarketDay.objects.create(date=SUNDAY, kind="special", is_session=True, source="nse_archive:daily file")
        evenings.run("pipeline", DAY)
        assert trading_calendar.next_session(FRIDAY) == MONDAY
        daily_file(folder, SUNDAY).unlink()
        evenings.run("pipeline", DAY)
    assert not MarketDay.objects.filter(date=SUNDAY, is_session=True).exists()
    assert not Finding.objects.filter(check_name="source_misdated").exists()


class TestAnnounced:
    """A Muhurat session on a Sunday, announced in the exchange's list of holidays."""

    @pytest.fixture
    def exchange(self, folder: Path) -> Iterator[Exchange]:
        listed = [
            {"tradingDate": "26-Jan-2023", "description": "Republic Day"},
            {"tradingDate": f"{SUNDAY:%d-%b-%Y}", "description": "Diwali Laxmi Pujan*"},
        ]
        (folder / "lists" / "nse-holidays-2023-api.json").write_text(json.dumps({"CM": listed}))
        with serving(folder) as server:
            yield server

    @pytest.fixture
    def archive(self, exchange: Exchange, tmp_path: Path) -> Iterator[Path]:
        archive = tmp_path / "archive"
        archive.mkdir()
        with (
            evenings.reading_archive(archive, tmp_path),
            override_settings(
                NSE_ARCHIVE_URL=exchange.address,
                NSE_SITE_URL=exchange.address,
                NSE_ARCHIVE_DAYS=12,
                NSE_DOWNLOAD_WAIT_SECONDS=0.0,
                NSE_DOWNLOAD_ATTEMPTS=1,
            ),
        ):
            yield archive

    @pytest.mark.long
    def test_its_file_is_fetched_the_same_evening(self, folder: Path, archive: Path, exchange: Exchange) -> None:
        daily_file(folder, SUNDAY).write_bytes(as_of_day(daily_file(folder, FRIDAY), FRIDAY, SUNDAY))
        evenings.run("pipeline", DAY)
        assert exchange.requests_for(daily_file(folder, SUNDAY).name)
        row = MarketDay.objects.get(date=SUNDAY)
        assert (row.kind, row.is_session, row.open, row.close) == ("muhurat", True, None, None)
        assert SourceFile.objects.filter(session=SUNDAY).exists()

    def test_the_download_command_asks_for_it_too(self, folder: Path, archive: Path, exchange: Exchange) -> None:
        daily_file(folder, SUNDAY).write_bytes(as_of_day(daily_file(folder, FRIDAY), FRIDAY, SUNDAY))
        call_command("download_archive", f"--from={FRIDAY}", f"--to={MONDAY}", stdout=io.StringIO())
        assert {path.name for path in (archive / "bhavcopy").iterdir()} == {
            daily_file(folder, day).name for day in (FRIDAY, SUNDAY, MONDAY)
        }

    @pytest.mark.long
    def test_without_its_file_the_checks_name_the_day(self, folder: Path, archive: Path, exchange: Exchange) -> None:
        evenings.run("pipeline", DAY)
        assert exchange.requests_for(daily_file(folder, SUNDAY).name)
        assert str(SUNDAY) in Finding.objects.get(check_name="source_sessions").message
        sample = Finding.objects.get(check_name="missing_session", session=DAY).sample
        assert sample is not None
        assert sample["symbols"] == [str(SUNDAY)]
        # The findings go when the file has come.
        daily_file(folder, SUNDAY).write_bytes(as_of_day(daily_file(folder, FRIDAY), FRIDAY, SUNDAY))
        shutil.copy(daily_file(folder, SUNDAY), daily_file(archive, SUNDAY))
        evenings.run("pipeline", DAY)
        assert not Finding.objects.filter(check_name__in=("source_sessions", "missing_session")).exists()
