"""Evenings whose files come over the wire: the same tables as from a folder, waiting for a late file, and giving up."""

import io
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import override_settings
from django.utils import timezone
from django_q.models import OrmQ

from market_data import tasks
from market_data.models import Finding, PipelineRun, PipelineStep, SourceFile
from market_data.providers.simulator import Simulator, write_archive
from market_data.runs import engine, lifecycle
from tests.end_to_end import evenings
from tests.market_data.providers.nse.download.bad_answers import answers
from tests.market_data.providers.nse.download.exchange_server import Exchange, serving

pytestmark = pytest.mark.django_db
# In these weeks the simulated exchange and the real one, whose calendar rules, have the same holidays.
FIRST, DAY = date(2023, 6, 15), date(2023, 6, 27)
SESSIONS = 9


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the exchange has."""
    folder = tmp_path_factory.mktemp("published")
    market = Simulator(30, SESSIONS, 7)
    write_archive(market, folder, market.sessions(None, DAY))
    return folder


@pytest.fixture
def exchange(published: Path) -> Iterator[Exchange]:
    with serving(published) as server:
        yield server


@pytest.fixture
def archive(exchange: Exchange, tmp_path: Path) -> Iterator[Path]:
    """An empty folder in use, filled from the server."""
    folder = tmp_path / "archive"
    folder.mkdir()
    with (
        evenings.reading_archive(folder, tmp_path),
        override_settings(
            NSE_ARCHIVE_URL=exchange.address,
            NSE_SITE_URL=exchange.address,
            NSE_ARCHIVE_DAYS=(DAY - FIRST).days,
            NSE_DOWNLOAD_WAIT_SECONDS=0.0,
            NSE_DOWNLOAD_ATTEMPTS=2,
        ),
    ):
        yield folder


def scheduled(hours_ago: float) -> PipelineRun:
    """An evening planned some hours ago, after its first attempt."""
    planned = timezone.now() - timedelta(hours=hours_ago)
    run = lifecycle.create_run("pipeline", DAY, triggered_by="schedule", intended_at=planned)
    return engine.advance(run.id)


def due_again(run: PipelineRun) -> PipelineRun:
    """The run after the pause is over and the cluster's heartbeat has picked it up."""
    step = run.steps.get(name="SYMBOL_MASTER")
    assert step.not_before is not None
    # Inside a test's transaction the database's clock stands still.
    run.steps.filter(pk=step.pk).update(not_before=timezone.now() - timedelta(hours=1))
    OrmQ.objects.all().delete()
    tasks.heartbeat("data")
    assert [queued.task["args"] for queued in OrmQ.objects.all()] == [(run.id,)]
    tasks.advance_run(run.id)
    return PipelineRun.objects.get(pk=run.pk)


def test_an_empty_folder_and_the_wire_give_the_tables_that_a_folder_gives(
    published: Path, archive: Path, tmp_path: Path
) -> None:
    with evenings.reading_archive(published, tmp_path), override_settings(NSE_ARCHIVE_URL=""):
        evenings.evening(DAY)
        wanted = evenings.stored()
    evenings.emptied()
    out = io.StringIO()
    call_command("run_pipeline", f"--date={DAY}", stdout=out)
    assert SourceFile.objects.count() == SESSIONS
    actual = evenings.stored()
    # Over the wire the list of corporate actions begins with the first session.
    actions = wanted["corporate_actions"]
    wanted["corporate_actions"] = actions.loc[actions.index.get_level_values("ex_date") >= FIRST]
    filled = {table: frame for table, frame in wanted.items() if len(frame)}
    assert set(filled) >= {"historical_data", "technical_indicators", "stocks", "stock_metrics", "source_files"}
    evenings.assert_same({table: actual[table] for table in filled}, filled)
    assert {table for table in actual if len(actual[table])} == set(filled)
    assert not Finding.objects.filter(check_name__in=("source_download", "source_sessions")).exists()


@pytest.mark.long
def test_an_evening_waits_for_a_late_file_and_then_completes(archive: Path, exchange: Exchange) -> None:
    exchange.faults["27062023.csv|27JUN2023bhav"] = answers(404)
    run = scheduled(hours_ago=0)
    step = run.steps.get(name="SYMBOL_MASTER")
    assert (run.status, step.status, step.attempts, step.fruitless_attempts) == ("running", "pending", 1, 0)
    assert f"There is no daily file for {DAY}" in step.reason
    assert not SourceFile.objects.exists()
    for time, answer in enumerate((answers(404), answers(503), answers(200)), start=2):
        exchange.faults["27062023.csv|27JUN2023bhav"] = answer
        run = due_again(run)
        assert run.status == "running"
        assert len(exchange.requests_for("full_27062023")) >= time
    exchange.faults.clear()
    run = due_again(run)
    assert (run.status, run.reason) == ("completed", "")
    assert SourceFile.objects.count() == SESSIONS


def test_an_evening_gives_up_at_its_deadline_with_a_sentence(archive: Path, exchange: Exchange) -> None:
    exchange.faults["27062023.csv|27JUN2023bhav"] = answers(404)
    run = scheduled(hours_ago=4.1)
    assert run.status == "failed"
    reason = f"There is no daily file for {DAY}. The exchange does not have it (yet). It was polled for until"
    assert reason in run.reason


def test_a_run_by_hand_does_not_wait(archive: Path, exchange: Exchange) -> None:
    exchange.faults["27062023.csv|27JUN2023bhav"] = answers(404)
    with pytest.raises(CommandError, match="There is no daily file for 2023-06-27"):
        call_command("run_pipeline", f"--date={DAY}", stdout=io.StringIO())


def test_a_late_file_in_a_folder_without_download_is_waited_for_too(published: Path, tmp_path: Path) -> None:
    folder = evenings.linked(published, tmp_path / "folder")
    late = evenings.file_of(folder, DAY).rename(folder / "late")
    with evenings.reading_archive(folder, tmp_path):
        run = scheduled(hours_ago=1)
        assert PipelineStep.objects.get(run=run, name="SYMBOL_MASTER").reason.startswith("nse_archive has no bars for")
        assert due_again(run).status == "running"
        assert late.is_file()


@pytest.mark.long
def test_a_session_that_the_exchange_does_not_have_is_a_finding_and_no_obstacle(
    archive: Path, exchange: Exchange
) -> None:
    exchange.faults["20062023.csv|20JUN2023bhav"] = answers(404)
    run = scheduled(hours_ago=0)
    assert run.status == "completed"
    assert SourceFile.objects.count() == SESSIONS - 1
    assert "2023-06-20" in Finding.objects.get(check_name="source_sessions").message


def test_the_command_downloads_a_span_and_says_so(archive: Path, exchange: Exchange) -> None:
    out, err = io.StringIO(), io.StringIO()
    call_command("download_archive", "--from=2023-06-20", f"--to={DAY}", stdout=out, stderr=err)
    assert len(list((archive / "bhavcopy").glob("*.csv"))) == 6
    assert "files downloaded, 0 replaced" in out.getvalue()
    assert "files" in err.getvalue()
    exchange.faults["19062023.csv|19JUN2023bhav"] = answers(500)
    with pytest.raises(CommandError, match="answers 500"):
        call_command("download_archive", "--from=2023-06-19", f"--to={DAY}", stdout=out, stderr=err)
    exchange.faults["19062023.csv|19JUN2023bhav"] = answers(404)
    call_command("download_archive", "--from=2023-06-19", f"--to={DAY}", stdout=out, stderr=err)
    assert "no daily file for 1 sessions of the calendar: 2023-06-19" in out.getvalue()


@pytest.mark.parametrize(
    ("arguments", "changed", "message"),
    [
        (["--from=2023-06-20", "--to=2023-06-19"], {}, "lies after"),
        (["--from=yesterday"], {}, "write it as YYYY-MM-DD"),
        ([], {"NSE_ARCHIVE_URL": ""}, "NSE_ARCHIVE_URL"),
        ([], {"MARKET_DATA_PROVIDER": "simulator", "PROVIDER_KIND": "simulated"}, "nse_archive"),
    ],
)
def test_the_command_refuses_with_a_sentence(
    archive: Path, exchange: Exchange, arguments: list[str], changed: dict[str, str], message: str
) -> None:
    with override_settings(**changed), pytest.raises(CommandError, match=message):
        call_command("download_archive", *(arguments or [f"--to={DAY}"]), stdout=io.StringIO(), stderr=io.StringIO())
    assert exchange.requests == []
