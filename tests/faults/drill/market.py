"""The drill's market: archive files, and a database on the eve of the session that every round repeats."""

import csv
import hashlib
import io
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django_q.tasks import async_task
from psycopg import sql

from market_data import tasks, trading_calendar
from market_data.models import PipelineRun, PipelineStep
from market_data.providers.simulator import EPOCH, Incident, Simulator, simulated_sessions, write_archive
from market_data.runs import engine, lifecycle
from ml.champions import queries
from ml.models import TrainedModel
from stocks.fundamentals import writer as fundamentals_writer
from stocks.models import Publication
from stocks.picks.screening import STRATEGIES
from stocks.storage.durable_files import LEFTOVERS
from tests.champions import crown
from tests.state_hash import IDENTITIES, TIMES_OF_WRITING, contract_hash

DATABASE = "drill"
"""Database of a round; recreated for each from one of the templates."""

SESSIONS = 330
_LAST_DAY = date(2024, 6, 28)

# The prerequisites of the sagas, except that the export waits for the picks and the picks for their model: a round is
# compared with an evening, so the order of jobs must not change the result.
EVENING: dict[str, tuple[str, ...]] = {
    "pipeline": (),
    "fill_data": ("pipeline",),
    "business_logic": ("fill_data",),
    "validation": ("business_logic",),
    "selection": ("validation", "recent_model"),
    "csv_export": ("selection",),
}
WITH_TRAINING = {**EVENING, "training": ("validation",), "selection": ("validation", "training")}
JOBS_OF_THE_EVE = ("pipeline", "fill_data", "business_logic", "validation", "training", "selection")


@dataclass(frozen=True)
class State:
    """What an evening leaves: a hash of each table and file, and flaws that no evening may have."""

    tables: dict[str, str]
    files: dict[str, str]
    flaws: tuple[str, ...]

    def differences(self, expected: "State") -> list[str]:
        """Names of the tables and files that differ from the expected state, and this state's flaws."""
        differences = [*self.flaws]
        for kind, ours, others in (("table", self.tables, expected.tables), ("file", self.files, expected.files)):
            names = sorted({*ours, *others})
            differences += [f"{kind} {name}" for name in names if ours.get(name) != others.get(name)]
        return differences


def eve_and_evening() -> tuple[date, date]:
    """Session before the evening, and the evening's own."""
    days = simulated_sessions(EPOCH, _LAST_DAY)
    return days[SESSIONS - 2], days[SESSIONS - 1]


def write_market(folder: Path, symbols: int, seed: int) -> None:
    """Write the market in the exchange's file formats, with a split and a rename on the evening itself."""
    days = simulated_sessions(EPOCH, _LAST_DAY)[:SESSIONS]
    incidents = (Incident("split", days[-1], 3, ratio=(10, 2)), Incident("rename", days[-1], 7))
    write_archive(Simulator(symbols, SESSIONS, seed, incidents=incidents), folder, days)


def fill_template(symbols: int, seed: int, jobs: Sequence[str]) -> None:
    """Fill the connected database up to the eve, with statements, and with a model and picks if the jobs make them."""
    call_command("migrate", verbosity=0, interactive=False)
    eve, evening = eve_and_evening()
    with transaction.atomic():
        statements = Simulator(symbols, SESSIONS, seed).statements(evening)
        fundamentals_writer.record_statements(statements, "statements_of_the_drill")
    for job in jobs:
        run = engine.advance(lifecycle.create_run(job, eve, triggered_by="drill").id, wait=True)
        if run.status != PipelineRun.Status.COMPLETED:
            raise RuntimeError(f"The drill's market could not be built: {run.id} {run.status}: {run.reason}")
        _let_the_model_pick()


def _let_the_model_pick() -> None:
    """Nothing can be learnt from a random market, so its model is never accepted; but a round needs picks."""
    TrainedModel.objects.update(status=TrainedModel.Status.ACCEPTED)
    model = TrainedModel.objects.first()
    if model is not None and queries.champion() is None:
        crown(model.session, model.recipe)


def plan_evening(jobs: Mapping[str, Sequence[str]]) -> None:
    """Queue the starts of the evening's jobs, as the schedules do."""
    _, evening = eve_and_evening()
    intended = datetime.combine(evening, time(21), tzinfo=trading_calendar.IST).isoformat()
    for job, prerequisites in jobs.items():
        cluster = "ml" if job in ("training", "selection") else "data"
        async_task(tasks.START, job, list(prerequisites), "same day", intended=intended, cluster=cluster, save=False)


def state(exports: Path) -> State:
    """State of the connected database and of a folder of exports."""
    _, evening = eve_and_evening()
    files = {path.name: path.read_bytes() for path in sorted(exports.glob("*"))} if exports.is_dir() else {}
    flaws = [f"left over: {name}" for name in files if name.endswith(".writing")]
    flaws += [f"left over: {path.name}" for path in settings.MODELS_DIR.rglob(LEFTOVERS)]
    in_force = Publication.objects.filter(date=evening, superseded_at=None).count()
    if in_force not in (0, len(STRATEGIES)):
        flaws.append(f"half a publication: {in_force} of {len(STRATEGIES)} strategies")
    done = (PipelineRun.Status.COMPLETED, PipelineRun.Status.SKIPPED)
    flaws += [f"run {run.id} {run.status}: {run.reason}" for run in PipelineRun.objects.exclude(status__in=done)]
    flaws += _flaws_of_attempts()
    manifest = files.pop(f"manifest_{evening}.json", None)
    if manifest is None:  # not exported yet; `differences` reports the files that are missing
        hashes = {name: _hash_of_rows(content) for name, content in files.items()}
    else:
        hashes, broken = _exported_hashes(files, json.loads(manifest))
        flaws += broken
    return State(contract_hash(), hashes, tuple(flaws))


def _flaws_of_attempts() -> list[str]:
    """Name the completed steps whose stored attempts do not tell their story: how often the first try failed varies."""
    flaws = []
    for step in PipelineStep.objects.filter(status="completed", run__is_replay=False).prefetch_related("attempt_log"):
        log = sorted(step.attempt_log.all(), key=lambda attempt: attempt.number)
        numbers, outcomes = [attempt.number for attempt in log], [attempt.outcome for attempt in log]
        is_told = numbers == list(range(1, step.attempts + 1)) and all(attempt.ended_at for attempt in log)
        if not is_told or outcomes.index("completed") != len(log) - 1:
            flaws.append(f"attempts of {step}: {list(zip(numbers, outcomes, strict=True))}, counted {step.attempts}")
    return flaws


def _exported_hashes(files: dict[str, bytes], manifest: dict[str, Any]) -> tuple[dict[str, str], list[str]]:
    """Hash of each file in the manifest, and a sentence for each one that contradicts it."""
    hashes, broken = {}, []
    for entry in manifest["files"]:
        name, content = entry["name"], files.get(entry["name"], b"")
        if hashlib.sha256(content).hexdigest() != entry["sha256"]:
            broken.append(f"{name} is not what its manifest says")
        hashes[name] = _hash_of_rows(content)
    return hashes, broken


def _hash_of_rows(content: bytes) -> str:
    """Hash of a CSV file's rows without identities and times of writing, which differ between equal evenings."""
    rows = csv.DictReader(io.StringIO(content.decode()))
    left_out = {*IDENTITIES, *TIMES_OF_WRITING}
    cells = [[value for name, value in row.items() if name not in left_out] for row in rows]
    return hashlib.sha256(repr(cells).encode()).hexdigest()


def recreate_database(
    server: psycopg.Connection[Any], template: str, name: str = DATABASE, tablespace: str = "pg_default"
) -> None:
    """Replace a database by a copy of a template, ending all sessions of the old one."""
    server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY TABLESPACE {}")
    server.execute(create.format(sql.Identifier(name), sql.Identifier(template), sql.Identifier(tablespace)))


def empty_folder(folder: Path) -> Path:
    """Create the folder, or empty it, and return it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def close_connection() -> None:
    """Close the database connection, so that a forked child inherits none."""
    connection.close()
