"""The market of the drill: files of an archive, and a database on the eve of the session that every round repeats."""

import csv
import hashlib
import io
import json
import shutil
from collections.abc import Sequence
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
from market_data.models import PipelineRun
from market_data.providers.simulator import EPOCH, Incident, Simulator, simulated_sessions, write_archive
from market_data.runs import engine, lifecycle
from market_data.runs.state_hash import IDENTITIES, TIMES_OF_WRITING, contract_hash
from ml.models import TrainedModel
from stocks.fundamentals import writer as fundamentals_writer
from stocks.models import Publication

DATABASE = "drill"
"""Database in which a round plays; made anew for each from one of the templates."""

SESSIONS = 330
_LAST_DAY = date(2024, 6, 28)

# As in tradingsite/schedule.py; but here the export waits for the picks and the picks for their model, because a round
# is compared with an evening whose jobs may have come in another order.
EVENING: dict[str, tuple[str, ...]] = {
    "pipeline": (),
    "fill_data": ("pipeline",),
    "business_logic": ("fill_data",),
    "validation": ("business_logic",),
    "selection": ("validation", "recent_model"),
    "csv_export": ("selection",),
}
WITH_TRAINING = {**EVENING, "training": ("validation",), "selection": ("validation", "training")}
_JOBS_OF_THE_DAY_BEFORE = ("pipeline", "fill_data", "business_logic", "validation", "training", "selection")


@dataclass(frozen=True)
class State:
    """What an evening leaves: a hash of each table, of each file, and what is wrong by itself."""

    tables: dict[str, str]
    files: dict[str, str]
    flaws: tuple[str, ...]

    def differences(self, wanted: "State") -> list[str]:
        """Name what differs from another state, and what must not be in any."""
        found = [*self.flaws]
        for kind, mine, theirs in (("table", self.tables, wanted.tables), ("file", self.files, wanted.files)):
            found += [f"{kind} {name}" for name in sorted({*mine, *theirs}) if mine.get(name) != theirs.get(name)]
        return found


def sessions_of_market() -> tuple[date, date]:
    """Return the session before the evening, and the evening's own."""
    days = simulated_sessions(EPOCH, _LAST_DAY)
    return days[SESSIONS - 2], days[SESSIONS - 1]


def write_market(folder: Path, symbols: int, seed: int) -> None:
    """Write the market as the exchange's files, with a split and a rename on the evening itself."""
    days = simulated_sessions(EPOCH, _LAST_DAY)[:SESSIONS]
    busy = (Incident("split", days[-1], 3, ratio=(10, 2)), Incident("rename", days[-1], 7))
    write_archive(Simulator(symbols, SESSIONS, seed, incidents=busy), folder, days)


def fill_template(symbols: int, seed: int) -> None:
    """Bring the connected database up to the session before, with statements, a model and picks."""
    call_command("migrate", verbosity=0, interactive=False)
    before, evening = sessions_of_market()
    with transaction.atomic():
        told = Simulator(symbols, SESSIONS, seed).statements(evening)
        fundamentals_writer.record_statements(told, "statements_of_the_drill")
    for job in _JOBS_OF_THE_DAY_BEFORE:
        done = engine.advance(lifecycle.create_run(job, before, triggered_by="drill").id, wait=True)
        if done.status != PipelineRun.Status.COMPLETED:
            raise RuntimeError(f"The drill's market could not be made: {done.id} {done.status}: {done.reason}")
        # Of a market without memory nothing can be learnt, and no such model is accepted; but there must be picks.
        TrainedModel.objects.update(status=TrainedModel.Status.ACCEPTED)


def plan_evening(jobs: dict[str, Sequence[str]] | dict[str, tuple[str, ...]]) -> None:
    """Queue the starts of the evening's jobs, as the schedules do."""
    _, evening = sessions_of_market()
    planned = datetime.combine(evening, time(21), tzinfo=trading_calendar.IST).isoformat()
    for job, waits_for in jobs.items():
        cluster = "ml" if job in ("training", "selection") else "data"
        async_task(tasks.START, job, list(waits_for), "same day", intended=planned, cluster=cluster, save=False)


def state(exports: Path) -> State:
    """Return the state of the connected database and of a folder of exports."""
    _, evening = sessions_of_market()
    files = {path.name: path.read_bytes() for path in sorted(exports.glob("*"))} if exports.is_dir() else {}
    flaws = [f"left over: {name}" for name in files if name.endswith(".writing")]
    flaws += [f"left over: {path.name}" for path in settings.MODELS_DIR.rglob("writing-*")]
    in_force = Publication.objects.filter(date=evening, superseded_at=None).count()
    if in_force not in (0, 4):
        flaws.append(f"half a publication: {in_force} of 4 strategies")
    flaws += [f"run {run.id} {run.status}: {run.reason}" for run in _unfinished()]
    manifest = files.pop(f"manifest_{evening}.json", None)
    if manifest is None:  # before the export; whoever expects files misses them in `differences`
        return State(
            contract_hash(), {name: _hash_of_rows(content.decode()) for name, content in files.items()}, tuple(flaws)
        )
    hashes, broken = _checked(files, json.loads(manifest))
    return State(contract_hash(), hashes, (*flaws, *broken))


def _unfinished() -> list[PipelineRun]:
    done = (PipelineRun.Status.COMPLETED, PipelineRun.Status.SKIPPED)
    return list(PipelineRun.objects.exclude(status__in=done))


def _checked(files: dict[str, bytes], manifest: dict[str, Any]) -> tuple[dict[str, str], list[str]]:
    """Return a hash of each file that a manifest names, and which of them do not bear it out."""
    hashes, broken = {}, []
    for one in manifest["files"]:
        content = files.get(one["name"], b"")
        if hashlib.sha256(content).hexdigest() != one["sha256"]:
            broken.append(f"{one['name']} is not what its manifest says")
        hashes[one["name"]] = _hash_of_rows(content.decode())
    return hashes, broken


def _hash_of_rows(text: str) -> str:
    """Hash what a CSV file says of the market: its rows without the times of writing."""
    rows = csv.DictReader(io.StringIO(text))
    said = [[value for name, value in row.items() if name not in (*IDENTITIES, *TIMES_OF_WRITING)] for row in rows]
    return hashlib.sha256(repr(said).encode()).hexdigest()


def remake(
    server: psycopg.Connection[Any], template: str, name: str = DATABASE, tablespace: str = "pg_default"
) -> None:
    """Make a database anew from a template; whoever is connected to the old one is cut off."""
    server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY TABLESPACE {}")
    server.execute(create.format(sql.Identifier(name), sql.Identifier(template), sql.Identifier(tablespace)))


def fresh_folder(folder: Path) -> Path:
    """Return a folder that is there and empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def forget_connection() -> None:
    """Close the connection, so that a forked child inherits none."""
    connection.close()
