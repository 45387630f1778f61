"""An upgrade in the middle of an evening: what the previous version stored is understood.

The tables are migrated back and filled with rows as that version wrote them, then migrated forward again.
"""

import ast
import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.urls import reverse
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.models import OrmQ, Schedule
from django_q.signing import SignedPackage
from psycopg import sql
from psycopg.types.json import Jsonb

from brokers.accounts import secret_of
from brokers.models import BrokerConfiguration
from market_data import trading_calendar
from market_data.models import DailyBar, PipelineRun, PipelineStep, SourceFile, TableTotal, TechnicalIndicator
from market_data.providers import provider
from market_data.runs import engine, lifecycle
from market_data.steps import historical_data
from portfolio.models import User
from stocks.models import Stock
from tradingsite.operations.views import run_url

pytestmark = pytest.mark.django_db(transaction=True)

PREVIOUS = [
    ("brokers", "0001_broker_configurations"),
    ("market_data", "0004_evenings_can_be_held"),
    ("ml", "0001_models_and_evaluations"),
    ("portfolio", "0003_system_strategies"),
    ("stocks", "0004_statements_of_a_period_by_index"),
    ("tradingsite", "0001_troubles_and_their_alerts"),
]
CHUNK = 40
SECRET = "s3cret-of-the-app"
RUN = "pipeline_20260430_210000"
FAILED = "training_20260430_020000"
STEPS = (
    "SYMBOL_MASTER",
    "STOCKS",
    "HISTORICAL_DATA",
    "TECHNICAL_INDICATORS",
    "COMPREHENSIVE_METRICS",
    "PIPELINE_VALIDATION",
)
REASON = (
    "Balanced (steady and safe companies): place 1 of 3 that passed, score 0.66 from prediction 0.78, safety 0.81,"
    " confidence 0.55. Expected +1.9% in ten sessions, above the costs of 0.4%. Not known and passed over: low"
    " volatility."
)


class Interrupted(Exception):
    """The worker ends here."""


def insert(table: str, **values: Any) -> Any:
    """Insert a row by the columns that the table has now; return its id."""
    adapted: list[Any] = [Jsonb(value) if isinstance(value, dict | list) else value for value in values.values()]
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING id").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join(sql.Placeholder() * len(values)),
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, adapted)
        return cursor.fetchone()[0]


def insert_run(run_id: str, job: str, sequence: int, session: date, **facts: Any) -> None:
    begun = timezone.now() - timedelta(hours=1)
    defaults = {
        "provider": "simulator",
        "provider_kind": "simulated",
        "triggered_by": "schedule",
        "intended_at": begun,
        "status": "running",
        "waits_for": [],
        "aliases": [],
        "options": {},
        "summary": {},
        "is_replay": False,
        "reason": "",
        "started_at": begun,
    }
    insert("pipeline_runs", id=run_id, job=job, sequence=sequence, session=session, **(defaults | facts))


def insert_step(run_id: str, name: str, order: int, **facts: Any) -> None:
    defaults = {
        "status": "pending",
        "attempts": 0,
        "fence": 0,
        "worker": "",
        "watermark": "",
        "records_processed": 0,
        "progress": 0.0,
        "reason": "",
        "traceback": "",
        "log_lines": [],
    }
    insert("pipeline_execution_tracking", run_id=run_id, name=name, order=order, **(defaults | facts))


def insert_task(function: str, *args: Any, **kwargs: Any) -> None:
    task = {"id": "0" * 32, "name": "an-old-task", "func": function, "args": args, "kwargs": kwargs, "cluster": "data"}
    insert("django_q_ormq", key="data", payload=SignedPackage.dumps(task), lock=timezone.now())


def insert_unfinished_run(session: date, loaded: list[date], symbol: str) -> None:
    """A pipeline whose worker died after the first window of bars, with work noted for the later steps."""
    middle = loaded[len(loaded) // 2].isoformat()
    options = {
        "loaded": [day.isoformat() for day in loaded],
        "judge_from": loaded[0].isoformat(),
        "recompute": {symbol: middle},
        "events_changed": {symbol: middle},
        "renamed": [symbol],
    }
    insert_run(RUN, "pipeline", 1, session, options=options, summary={"sessions": len(loaded), "bars": 1})
    done: dict[str, Any] = {"status": "completed", "progress": 1.0, "attempts": 1, "fence": 1, "records_processed": 20}
    dead: dict[str, Any] = {
        "status": "running",
        "attempts": 1,
        "fence": 2,
        "worker": "elsewhere:4711:1:2",
        "lease_until": timezone.now() - timedelta(minutes=5),
        "watermark": f"{loaded[0]}..{loaded[-1]}",
        "log_lines": ["bars read sessions=40"],
        "progress": 0.5,
    }
    for order, (name, facts) in enumerate(zip(STEPS, (done, done, dead, {}, {}, {}), strict=True)):
        insert_step(RUN, name, order, **facts)


def insert_account() -> None:
    key = base64.urlsafe_b64encode(hashlib.sha256(settings.CREDENTIAL_KEYS[0].encode()).digest())
    facts = {"client_id": "XA1", "is_active": True, "updated_at": timezone.now()}
    secrets = {"api_secret": Fernet(key).encrypt(SECRET.encode()).decode(), "access_token": ""}
    insert("broker_configurations", user_id=User.objects.create_user("asha").pk, broker="fyers", **facts, **secrets)


def insert_publication(session: date, symbol: str) -> None:
    # A strong buy of before rewards were compared with risks.
    facts = {"symbol": symbol, "rank": 1, "selection_score": 0.66, "ml_prediction_score": 0.78, "reason": REASON}
    facts["recommendation"] = "STRONG_BUY"
    publication = insert(
        "publications",
        date=session,
        strategy="balanced",
        version=1,
        published_at=timezone.now(),
        run_id="selection_20260430_021500",
        count=1,
        reason="",
        picks=[facts],
    )
    insert("daily_suggested_stocks", date=session, strategy="balanced", publication_id=publication, **facts)


@contextmanager
def previous_version() -> Iterator[None]:
    """Migrate the tables back for the block, and forward after it."""
    MigrationExecutor(connection).migrate(PREVIOUS)
    try:
        yield
    finally:
        call_command("migrate", verbosity=0)


def break_after_one_window(session: date, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bring the market up to the end of the first window and remove the run that did it."""
    windows = iter([historical_data.read_window])

    def read_once(context: Any, window: Any) -> Any:
        if (read := next(windows, None)) is None:
            raise Interrupted
        return read(context, window)

    with monkeypatch.context() as patched:
        patched.setattr(historical_data, "read_window", read_once)
        run = engine.advance(lifecycle.create_run("pipeline", session, triggered_by="test").id)
    assert (run.status, SourceFile.objects.count()) == ("failed", CHUNK)
    run.delete()


@pytest.fixture
def session(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> date:
    settings.SIMULATOR_SYMBOLS, settings.SIMULATOR_SESSIONS = 20, CHUNK + 5
    settings.EXPORT_DIR, settings.MODELS_DIR = tmp_path / "exports", tmp_path / "models"
    feed = provider()
    trading_calendar.record_market_days(feed.market_days(timezone.localdate()), feed.calendar)
    session = trading_calendar.latest_completed_session(timezone.now())
    break_after_one_window(session, monkeypatch)
    return session


def execute_queued(function: str) -> Any:
    [task] = [queued.task for queued in OrmQ.objects.order_by("id") if queued.task["func"] == function]
    return import_string(task["func"])(*task["args"], **task["kwargs"])


def insert_evening(session: date, loaded: list[date], symbol: str, planned: datetime) -> Any:
    """Insert an evening in progress as the previous version stored it; return the key of its schedule."""
    insert_unfinished_run(session, loaded, symbol)
    insert_run(FAILED, "training", 2, session, status="failed", reason="The fit ended with 1: MemoryError")
    insert_step(FAILED, "TRAIN", 0, status="failed", attempts=1, reason="The fit ended with 1: MemoryError")
    insert_publication(loaded[-1], symbol)
    insert_account()
    insert_task("market_data.tasks.advance_run", RUN)
    insert_task(
        "market_data.tasks.start_scheduled", "fill_data", ["pipeline"], "same day", intended=planned.isoformat()
    )
    return insert(
        "django_q_schedule",
        name="selection",
        func="market_data.tasks.start_scheduled",
        args="('selection', ['validation', 'training|recent_model|training_failed'], 'evening before')",
        schedule_type="C",
        repeats=-1,
        cron="15 2 * * *",
        cluster="ml",
        intended_date_kwarg="intended",
        next_run=timezone.now() + timedelta(hours=1),
    )


@pytest.mark.long
def test_an_upgrade_in_the_middle_of_an_evening(session: date, admin_client: Any) -> None:
    loaded = sorted(SourceFile.objects.values_list("session", flat=True))
    symbol = str(DailyBar.objects.filter(date=loaded[0]).order_by("symbol").values_list("symbol_id", flat=True)[0])
    planned = timezone.localtime().replace(hour=21, minute=30, second=0, microsecond=0)
    planned = datetime.combine(session, planned.timetz())
    with previous_version():
        schedule = insert_evening(session, loaded, symbol, planned)

    # The queue's planned start waits for the unfinished run, which goes on after its first window.
    waiting = PipelineRun.objects.get(pk=execute_queued("market_data.tasks.start_scheduled"))
    assert (waiting.status, waiting.session, waiting.waits_for) == ("waiting", session, ["pipeline"])
    assert execute_queued("market_data.tasks.advance_run") == "completed", PipelineStep.objects.exclude(reason="").get()
    assert PipelineRun.objects.get(pk=waiting.pk).status == "running"
    run = PipelineRun.objects.get(pk=RUN)
    assert run.summary["sessions"] == SourceFile.objects.count() == CHUNK + 5
    assert run.options["loaded"] == sorted(
        day.isoformat() for day in SourceFile.objects.values_list("session", flat=True)
    )
    assert run.steps.get(name="TECHNICAL_INDICATORS").watermark == f"again {symbol}..{symbol}"
    assert run.steps.get(name="HISTORICAL_DATA").log_lines[0] == "bars read sessions=40"
    assert TechnicalIndicator.objects.count() == DailyBar.objects.count()

    # The schedule is the one that the sagas describe, and its arguments start a run.
    call_command("sync_schedules", verbosity=0)
    kept = Schedule.objects.get(name="selection")
    assert kept.pk == schedule
    job, waits_for, stands_for = ast.literal_eval(kept.args)
    morning = timezone.localtime().replace(hour=2, minute=15, second=0, microsecond=0)
    night = datetime.combine(session + timedelta(days=1), morning.timetz())
    selection = import_string(kept.func)(job, waits_for, stands_for, intended=night.isoformat())
    assert PipelineRun.objects.get(pk=selection).session == session

    # What failed has its runbook entry, and the pick the parts of its score.
    failed = admin_client.get(run_url(FAILED)).content.decode()
    assert reverse("operations:runbook-entry", args=["training-failed"]) in failed
    shown: Any = admin_client.get("/picks/?strategy=balanced").context
    [pick] = shown["worth_buying"] + shown["others"]
    assert {part.name: part.value for part in pick["parts"]} == {
        "prediction": 0.78,
        "safety": 0.81,
        "confidence": 0.55,
        "low volatility": None,
    }
    assert run.options["renamed"] == [symbol]

    # The broker's secret is sealed for its account, and the same.
    account = BrokerConfiguration.objects.get()
    assert (secret_of(account, "api_secret"), account.access_token, account.registered_ips) == (SECRET, "", [])
    assert account.api_secret.startswith(f"{account.key_id}.")


@pytest.mark.long
def test_totals_without_symbols_and_simulated_facts_are_corrected(session: date) -> None:
    insert_run(RUN, "pipeline", 1, session)
    symbol = str(DailyBar.objects.values_list("symbol_id", flat=True)[0])
    with previous_version():
        TableTotal.objects.update(symbols=0)
        measured = {"isin": {"source": "exchange", "as_of": str(session), "how": "measured"}}
        Stock.objects.filter(symbol=symbol).update(provenance=measured)
    symbols = DailyBar.objects.values("symbol").distinct().count()
    assert TableTotal.objects.get(table_name="historical_data").symbols == symbols
    simulated = {"isin": {"source": "simulator", "as_of": str(session), "how": "simulated"}}
    assert Stock.objects.get(symbol=symbol).provenance == simulated
