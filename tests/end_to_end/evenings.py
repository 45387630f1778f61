"""A small market on disk, evenings run on it, and the tables they leave, for the tests of whole evenings."""

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from django.db import connection
from django.test import override_settings
from psycopg import sql

from market_data.models import PipelineRun
from market_data.providers.simulator import EPOCH, Incident, Simulator, simulated_sessions, write_archive
from market_data.runs import engine, lifecycle
from market_data.runs.saga import StepContext, saga_of
from stocks.storage.frames import query_frame
from stocks.storage.table_hash import column_names, table_hash
from tests.runs import registered

SYMBOLS = 64
SESSIONS = simulated_sessions(EPOCH, date(2024, 6, 30))
BASE = 372
"""Number of sessions of the base market: more than the rows that an evening reads of a symbol."""

# Natural key and the columns that the contract or a reader relies on; ids, runs and times of writing are left out.
_LEFT_OUT = {"id", "run_id", "created_at", "last_updated", "provenance", "read_at", "mtime_ns", "evidence"}
KEYS = {
    "historical_data": ("symbol", "date"),
    "technical_indicators": ("symbol", "date"),
    "stock_metrics": ("symbol", "date"),
    "stocks": ("symbol",),
    "corporate_actions": ("symbol", "ex_date", "kind", "purpose"),
    "symbol_changes": ("from_symbol", "date"),
    "exchange_facts": ("symbol", "date"),
    "source_files": ("session",),
}
PICKS = ("daily_suggested_stocks", "publications")
CALENDAR = ("market_days", "market_years")
SAID = ("financial_statements", "fundamental_snapshots", "findings", "rejected_rows", "table_totals", *CALENDAR)
STATE = (*KEYS, *SAID, *PICKS)
"""What a roll back must bring back."""

MODELS = ("trained_models", "predictions", "pick_history", "pick_history_days")
EVERYTHING = (*STATE, "run_undo", *MODELS, "pipeline_execution_tracking", "pipeline_runs")


def simulator(*incidents: Incident, seed: int = 5) -> Simulator:
    """The small market, the same up to the first of the incidents whatever they are."""
    return Simulator(SYMBOLS, len(SESSIONS), seed, incidents=incidents)


def reading_archive(folder: Path, tmp_path: Path) -> override_settings:
    """Let the system read the exchange's files from a folder and write into a temporary one."""
    return override_settings(
        MARKET_DATA_PROVIDER="nse_archive",
        PROVIDER_KIND="real",
        NSE_ARCHIVE_DIR=folder,
        NSE_ARCHIVE_SERIES="eq",
        FUNDAMENTALS_DIR=None,
        EXPORT_DIR=tmp_path / "exports",
        MODELS_DIR=tmp_path / "models",
    )


def linked(source: Path, target: Path) -> Path:
    """Copy an archive by links; the lists are copies, because tests change them."""
    for path in source.rglob("*"):
        to = target / path.relative_to(source)
        if path.is_dir():
            to.mkdir(parents=True, exist_ok=True)
        elif path.parent.name == "bhavcopy":
            os.link(path, to)
        else:
            to.write_bytes(path.read_bytes())
    return target


def file_of(folder: Path, session: date) -> Path:
    """The daily file of a session."""
    return folder / "bhavcopy" / f"sec_bhavdata_full_{session:%d%m%Y}.csv"


def day_of(path: Path) -> date:
    """The session of a daily file."""
    return pd.to_datetime(path.stem[-8:], format="%d%m%Y").date()


def lists_say(folder: Path, name: str, without: str) -> None:
    """Leave the lines that hold a word out of a list."""
    path = folder / "lists" / name
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(line for line in lines if without not in line), encoding="utf-8")


def publish(market: Simulator, folder: Path, *sessions: date, lists: bool = True) -> None:
    """Put files of sessions into an archive, replacing (not overwriting) what is there."""
    for session in sessions:
        file_of(folder, session).unlink(missing_ok=True)
    write_archive(market, folder, sessions, lists=lists)


def actions_end(folder: Path, covered: date, *, without: Sequence[str] = ()) -> None:
    """Cut the list of corporate actions after a day, and leave out the splits of some symbols."""
    path = folder / "lists" / "CF-CA-equities.csv"
    head, *rows = path.read_text(encoding="utf-8-sig").splitlines()
    kept = []
    for row in rows:
        ex_date = pd.to_datetime(re.findall(r'"(\d\d-\w{3}-\d{4})"', row)[0], format="%d-%b-%Y").date()
        hidden = "Split" in row and row.split(chr(34))[1] in without
        if ex_date <= covered and not hidden:
            kept.append(row)
    path.write_text("\n".join([head, *kept]) + "\n", encoding="utf-8-sig")


def run(job: str, session: date | None, **options: object) -> PipelineRun:
    """Run a job to its end."""
    created = lifecycle.create_run(job, session, triggered_by="test", options=options)
    return engine.advance(created.id, wait=True)


def broken_before(step: str, session: date) -> PipelineRun:
    """Run the pipeline up to a step, which breaks."""
    created = lifecycle.create_run("pipeline", session, triggered_by="test")
    saga = saga_of("pipeline")
    steps = [replace(each, compute=_break, chunks=None) if each.name == step else each for each in saga.steps]
    with registered(replace(saga, steps=tuple(steps))):
        broken = engine.advance(created.id, wait=True)
    assert broken.status == "failed", broken.reason
    return broken


def _break(context: StepContext) -> None:
    raise ZeroDivisionError("the worker breaks here")


def garble(path: Path, seed: int) -> None:
    """Multiply the prices of a file by something else for each line, as no market would."""
    rng = np.random.default_rng(seed)
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    out = [head]
    for line in lines:
        fields = line.split(", ")
        scale = float(rng.uniform(0.3, 3.0))
        fields[3:10] = [f"{float(value) * scale:.2f}" for value in fields[3:10]]
        out.append(", ".join(fields))
    path.unlink()
    path.write_text("\n".join(out) + "\n", encoding="utf-8")


def evening(session: date, job: str = "pipeline") -> PipelineRun:
    """Run a job that must complete."""
    done = run(job, session)
    assert done.status == "completed", f"{done.reason}\n{_traces(done)}"
    return done


def _traces(done: PipelineRun) -> str:
    return "\n".join(done.steps.values_list("traceback", flat=True))


def emptied() -> None:
    """Empty the tables of the market, inside the transaction at hand; runs stay, for others may be looking at them."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        cursor.execute(f"TRUNCATE {', '.join((*STATE, 'run_undo'))} CASCADE")


def stored(*tables: str, where: str = "true") -> dict[str, pd.DataFrame]:
    """Read tables by their natural key, without what differs from one writing to another."""
    frames = {}
    for table in tables or tuple(KEYS):
        key = list(KEYS[table])
        frame = query_frame(f"SELECT * FROM {table} WHERE {where}")
        frame = frame.drop(columns=[name for name in frame.columns if name in _LEFT_OUT])
        frames[table] = frame.sort_values(key).set_index(key)
    return frames


def assert_same(actual: dict[str, pd.DataFrame], wanted: dict[str, pd.DataFrame]) -> None:
    """Hold tables against each other: the same rows, numbers equal to 1e-9."""
    assert actual.keys() == wanted.keys()
    for table, frame in wanted.items():
        assert len(frame), f"{table} is empty: nothing is proven"
        both = actual[table]
        missing, surplus = frame.index.difference(both.index), both.index.difference(frame.index)
        assert both.index.equals(frame.index), f"{table} lacks {list(missing[:5])}, has besides {list(surplus[:5])}"
        pd.testing.assert_frame_equal(both, frame, rtol=1e-9, atol=1e-12, check_dtype=False, obj=table)


def full_load(session: date) -> dict[str, pd.DataFrame]:
    """What an empty database holds after it was brought up to a session at once; metrics are of that session alone."""
    emptied()
    evening(session)
    return of_session(session)


def of_session(session: date) -> dict[str, pd.DataFrame]:
    """The tables that an evening and a full load must agree on; of metrics a full load has the last session only."""
    plain = stored(*(table for table in KEYS if table != "stock_metrics"))
    return plain | stored("stock_metrics", where=f"date = '{session}'")


def fingerprint(*tables: str) -> dict[str, str]:
    """Hash of each table's rows, every column of them."""
    hashes = {}
    with connection.cursor() as cursor:
        for table in tables or STATE:
            values = [sql.Identifier(name) for name in column_names(cursor, table) if name != "updated_at"]
            _, hashes[table] = table_hash(cursor, table, values)
    return hashes


def contract_fingerprint() -> dict[str, str]:
    """Hash of what readers see, without ids, runs and times of writing."""
    return {table: hashlib.sha256(frame.to_csv().encode()).hexdigest() for table, frame in stored().items()}
