"""`--date` of every command that takes it: a day that cannot be gets a sentence, an exit code, and nothing written."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command, get_commands, load_command_class
from django.core.management.base import CommandError
from django.test import override_settings
from django.utils import timezone

from market_data import trading_calendar
from market_data.models import PipelineRun
from market_data.providers import provider
from market_data.providers.simulator import EPOCH, simulated_sessions
from market_data.runs.command import requested_session
from tests.end_to_end import evenings

pytestmark = pytest.mark.django_db
# What a command cannot do without, beside the date.
_REQUIRED = {"compare_refits": {"first": "2024-01-02", "last": "2024-01-31"}}
TABLES = (*evenings.STATE, "market_days", "pipeline_runs", "trained_models", "evaluations")


def commands_with_a_date() -> list[str]:
    ours = [name for name, app in get_commands().items() if app in ("market_data", "ml", "tradingsite", "stocks")]
    parsers = {name: load_command_class(get_commands()[name], name).create_parser("manage.py", name) for name in ours}
    return sorted(name for name, parser in parsers.items() if "--date" in parser.format_help())


@pytest.fixture
def _market(tmp_path: Path) -> Iterator[None]:
    with override_settings(
        SIMULATOR_SYMBOLS=40, SIMULATOR_SESSIONS=60, EXPORT_DIR=tmp_path / "exports", MODELS_DIR=tmp_path / "models"
    ):
        _seed_calendar()
        yield


def _seed_calendar() -> None:
    feed = provider()
    trading_calendar.record_market_days(feed.market_days(date(2026, 12, 31)), feed.calendar)


def refused(command: str, day: str) -> str:
    with pytest.raises(CommandError) as error:
        call_command(command, date=day, stdout=StringIO(), stderr=StringIO(), **_REQUIRED.get(command, {}))
    return str(error.value)


def test_the_commands_with_a_date_are_those_of_the_jobs_and_the_models() -> None:
    assert commands_with_a_date() == [
        *("calculate_business_logic", "compare_models", "compare_refits", "evaluate_models", "export_csv"),
        *("fill_data", "fit_models"),
        *(
            "judge_picks",
            "refresh_quotes",
            "run_all",
            "run_pipeline",
            "suggest_stocks",
            "train_models",
            "validate_data",
        ),
    ]


@pytest.mark.parametrize(
    ("day", "sentence"),
    [
        ("yesterday", "'yesterday' is not a date; write it as YYYY-MM-DD"),
        ("30-04-2024", "is not a date"),
        ("2024-02-30", "is not a date"),
        ("2024-03-08\n", "is not a date"),
        ("", "is not a date"),
        ("x" * 5000, "is not a date"),
        ("2024-03-09", "Saturday) is no session of the exchange; the one before it is 2024-03-08"),
        ("2999-01-01", "is not over yet: the latest completed session is"),
        ("1999-01-04", "lies before all data: the bars of simulator begin on 20"),
    ],
)
@pytest.mark.usefixtures("_market")
def test_an_impossible_date_is_refused_and_nothing_is_written(day: str, sentence: str, tmp_path: Path) -> None:
    before = evenings.fingerprint(*TABLES)
    for command in commands_with_a_date():
        refusal = refused(command, day)
        assert sentence in refusal, command
        assert len(refusal) < 300, command
    assert evenings.fingerprint(*TABLES) == before
    assert not any(tmp_path.iterdir())


def test_a_session_before_all_data_is_refused(tmp_path: Path) -> None:
    """The calendar of the real exchange begins years before the first file."""
    folder = tmp_path / "exchange"
    session = simulated_sessions(EPOCH, date(2024, 6, 30))[-1]
    evenings.publish(evenings.simulator(), folder, session)
    with evenings.reading_archive(folder, tmp_path):
        _seed_calendar()
        assert trading_calendar.is_session(date(2019, 1, 2))
        before = evenings.fingerprint(*TABLES)
        for command in commands_with_a_date():
            refusal = refused(command, "2019-01-02")
            assert f"--date 2019-01-02 lies before all data: the bars of nse_archive begin on {session}" in refusal
        assert evenings.fingerprint(*TABLES) == before


def test_a_past_session_needs_no_calendar_of_today(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exchange publishes the holidays of a year late in the one before it."""
    folder = tmp_path / "exchange"
    session = simulated_sessions(EPOCH, date(2024, 6, 30))[-1]
    evenings.publish(evenings.simulator(), folder, session)
    with evenings.reading_archive(folder, tmp_path):
        _seed_calendar()
        monkeypatch.setattr(timezone, "now", lambda: datetime(2999, 1, 5, 12, tzinfo=UTC))
        assert requested_session(session.isoformat()) == session
        for not_over in (None, "2999-01-05"):
            with pytest.raises(CommandError, match="add the whole list of the holidays of 2999"):
                requested_session(not_over)


@pytest.mark.usefixtures("_market")
def test_a_valid_session_becomes_the_runs() -> None:
    (session,) = provider().sessions(date(2024, 3, 8), date(2024, 3, 8)) or provider().sessions(None, date.max)[-1:]
    call_command("validate_data", date=session.isoformat(), json=True, stdout=StringIO(), stderr=StringIO())
    assert PipelineRun.objects.get(job="validation").session == session


@pytest.mark.parametrize(
    ("command", "options", "sentence"),
    [
        ("fit_models", {"date": "2024-03-08", "lookback": -5}, "--lookback -5 is not a number of days"),
        ("fit_models", {"date": "2024-03-08", "estimator": "oracle"}, "There is no estimator 'oracle'; choose one of:"),
        ("evaluate_models", {"estimator": "oracle"}, "There is no estimator 'oracle'; choose one of:"),
        ("evaluate_models", {"first_test": "soon"}, "'soon' is not a date"),
        ("evaluate_models", {"first_test": "2999-01-01"}, "is after the last session"),
        ("retry_failed", {"run": "pipeline_1"}, "There is no run 'pipeline_1'; `system_status` lists the latest ones"),
        ("retry_failed", {}, "No run has failed"),
        ("rollback_run", {"run": "pipeline_1"}, "There is no run 'pipeline_1'"),
        ("import_fundamentals", {}, "set FUNDAMENTALS_DIR, or pass --dir"),
        ("import_fundamentals", {"dir": Path("/nowhere")}, "/nowhere does not exist"),
        ("import_market_days", {"file": Path("/nowhere.csv")}, "nowhere.csv cannot be read: No such file"),
        ("import_market_days", {"file": Path("/")}, "cannot be read: Is a directory"),
    ],
)
@pytest.mark.usefixtures("_market")
def test_every_other_argument_is_checked(command: str, options: dict[str, Any], sentence: str) -> None:
    arguments = [options.pop(name) for name in ("run", "file") if name in options]
    before = evenings.fingerprint(*TABLES)
    with pytest.raises(CommandError, match=sentence.replace("(", r"\(")):
        call_command(command, *map(str, arguments), stdout=StringIO(), stderr=StringIO(), **options)
    assert evenings.fingerprint(*TABLES) == before
