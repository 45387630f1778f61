"""What an evening, a page and a training cost as the years pile up; `python -m tests.benchmarks.growth`.

One simulated market is loaded in stages (one, three, ten years of 250 sessions). After each stage the next evenings are
done as on any night, each job in a process of its own, and the steps' times are taken from their own rows. The stages
share one database and one run, so that their ratios mean something on a busy machine.

    nice .venv/bin/python -m tests.benchmarks.growth --symbols 5000 --years 1 3 10 --directory /tmp/growth
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from tradingsite.audit.origin import declare_service

SESSIONS_A_YEAR = 250
EVENING_JOBS = ("pipeline", "fill_data", "business_logic", "validation", "training", "selection", "csv_export")
BIG_TABLES = ("historical_data", "technical_indicators")
PAGES = (
    *("/", "/picks/", "/sectors/", "/history/", "/api/suggested-stocks/?strategy=balanced"),
    *("/admin/market_data/dailybar/", "/admin/market_data/"),
)


def main() -> None:
    """Measure in stages and write the report as JSON beside the data, and as a table on standard output."""
    options = _options()
    if options.child:
        _child(*options.child)
        return
    directory = Path(options.directory)
    with _servers(directory, options.symbols, max(options.years) * SESSIONS_A_YEAR):
        _python("migrate")
        stages = [_stage(years, options.evenings, options.jobs) for years in options.years]
    (directory / "growth.json").write_text(json.dumps(stages, indent=1))
    sys.stdout.write(_table(stages))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--years", type=int, nargs="+", default=[1, 3, 10])
    parser.add_argument("--evenings", type=int, default=1, help="evenings after each load; the quicker one counts")
    parser.add_argument("--jobs", nargs="+", default=list(EVENING_JOBS), help="of each evening, in this order")
    parser.add_argument("--directory", default="/tmp/growth", help="made when missing; kept")
    parser.add_argument("--child", nargs=2, metavar=("WHAT", "SESSION"), help=argparse.SUPPRESS)
    return parser.parse_args()


@contextmanager
def _servers(directory: Path, symbols: int, sessions: int) -> Iterator[None]:
    """Hold the embedded database of a directory, with the settings of this market in the environment."""
    from tradingsite.embedded.servers import EmbeddedPostgres

    os.environ |= {
        "IGNORE_DOTENV": "1",
        "DJANGO_SETTINGS_MODULE": "tradingsite.settings",
        "MARKET_DATA_PROVIDER": "simulator",
        "SIMULATOR_SYMBOLS": str(symbols),
        "SIMULATOR_SESSIONS": str(sessions + 50),
        "VAR_DIR": str(directory / "var"),
        "EXPORT_DIR": str(directory / "exports"),
        "LOG_FILE": str(directory / "logs" / "app.log"),
    }
    server = EmbeddedPostgres(directory / "var")
    server.acquire()
    os.environ["DATABASE_URL"] = server.url("growth")
    try:
        yield
    finally:
        server.release()


def _python(*arguments: str) -> None:
    subprocess.run([sys.executable, "manage.py", *arguments], check=True, stdout=subprocess.DEVNULL)


def _run_child(what: str, session: date) -> dict[str, Any]:
    """Do something in a process of its own; its answer is one line of JSON."""
    command = [sys.executable, "-m", "tests.benchmarks.growth", "--child", what, session.isoformat()]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    sys.stderr.write(f"{what:<16} {session} {json.dumps(answer)}\n")
    return answer


def _stage(years: int, evenings: int, jobs: list[str]) -> dict[str, Any]:
    from market_data.providers.simulator import EPOCH, simulated_sessions

    days = simulated_sessions(EPOCH, date(2041, 12, 31))[: years * SESSIONS_A_YEAR + evenings]
    load = _run_child("pipeline", days[-evenings - 1])
    nights = []
    for session in days[-evenings:]:
        before = _run_child("reads", session)
        night = {job: _run_child(job, session) for job in jobs}
        after = _run_child("reads", session)
        reads = {name: after[name] - before[name] for name in after}
        nights.append({"jobs": night, "reads": reads})
    return {"years": years, "load": load, "nights": nights, "pages": _run_child("pages", days[-1]),
            "size": _run_child("size", days[-1])}  # fmt: skip


def _child(what: str, session: str) -> None:
    import django

    declare_service()
    django.setup()
    answer = {"pages": _pages, "reads": _reads, "size": _size}.get(what)
    result = answer() if answer else _job(what, date.fromisoformat(session))
    sys.stdout.write(json.dumps(result, default=str) + "\n")


def _job(job: str, session: date) -> dict[str, Any]:
    from market_data.runs import engine, lifecycle
    from market_data.runs.command import duration_seconds

    spent: dict[str, float] = {}
    _timed(job, spent)
    run = engine.advance(lifecycle.create_run(job, session, triggered_by="benchmark").id, wait=True)
    steps = {step.name: duration_seconds(step) for step in run.steps.order_by("order")}
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {"status": run.status, "reason": run.reason, "seconds": duration_seconds(run), "steps": steps, "cpu": spent,
            "peak_gb": round(peak / 1e6, 2), "bars": run.summary.get("bars")}  # fmt: skip


def _timed(job: str, spent: dict[str, float]) -> None:
    """Let a job's steps add up the processor seconds that they and their database session need."""
    from market_data.runs.saga import Chunk, Saga, Step, StepContext, register_sagas, saga_of

    def counting(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:
            begun = _processor_seconds()
            try:
                return work(*arguments)
            finally:
                spent[name] = round(spent.get(name, 0.0) + _processor_seconds() - begun, 2)

        return counted

    def counted_chunks(step: Step, context: StepContext) -> list[Chunk]:
        chunks = counting(step.name, step.chunks_of)(context)
        return [
            Chunk(chunk.label, counting(step.name, chunk.compute), counting(step.name, chunk.record))
            for chunk in chunks
        ]

    saga: Saga = saga_of(job)
    steps = [replace(step, chunks=partial(counted_chunks, step)) for step in saga.steps]
    register_sagas(replace(saga, steps=tuple(steps)))


def _processor_seconds() -> float:
    """Return what this process, its ended children and its database session have spent: waiting does not count."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    times = os.times()
    server = psutil.Process(pid).cpu_times()
    own = times.user + times.system + times.children_user + times.children_system
    return own + server.user + server.system


def _reads() -> dict[str, Any]:
    """Return how often the big tables were read from end to end, and how many rows went by in that."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(1.1), pg_stat_force_next_flush()")
        cursor.execute(
            "SELECT relname, seq_scan, seq_tup_read FROM pg_stat_user_tables WHERE relname = ANY(%s)",
            [[*BIG_TABLES, "stock_metrics", "exchange_facts", "financial_statements"]],
        )
        rows = cursor.fetchall()
    return {f"{name}.{what}": n for name, scans, read in rows for what, n in (("seq_scan", scans), ("seq_rows", read))}


def _size() -> dict[str, Any]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database()) / 1e9")
        whole = float(cursor.fetchone()[0])
        cursor.execute(
            "SELECT relname, pg_table_size(oid) / 1e9, pg_indexes_size(oid) / 1e9, reltuples FROM pg_class"
            " WHERE relkind = 'r' ORDER BY pg_total_relation_size(oid) DESC LIMIT 6"
        )
        tables = {name: [round(float(n), 3) for n in figures] for name, *figures in cursor.fetchall()}
    return {"database_gb": round(whole, 2), "tables_gb": tables}


def _pages() -> dict[str, Any]:
    from django.contrib.auth import get_user_model
    from django.test import Client

    user, _ = get_user_model().objects.get_or_create(username="growth", is_staff=True, is_superuser=True)
    client = Client(SERVER_NAME="localhost")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return {path: _milliseconds(client, path) for path in PAGES}


def _milliseconds(client: Any, path: str) -> dict[str, Any]:
    times, status = [], 0
    for _ in range(6):
        begun = time.perf_counter()
        status = client.get(path).status_code
        times.append(1000 * (time.perf_counter() - begun))
    return {"status": status, "first_ms": round(times[0]), "median_ms": round(statistics.median(times[1:]), 1)}


def _table(stages: list[dict[str, Any]]) -> str:
    """Return the quickest of the evenings' times, step by step, and their ratio to the first stage."""
    lines = ["step" + "".join(f"{stage['years']:>10} y" for stage in stages) + "     ratio\n"]
    jobs = list(stages[0]["nights"][0]["jobs"])
    names = [(job, step) for job in jobs for step in stages[0]["nights"][0]["jobs"][job]["steps"]]
    for job, step in names:
        lines.append(_line(f"{job}: {step}", [_least(stage, job, "steps", step) for stage in stages]))
        lines.append(_line("    processor", [_least(stage, job, "cpu", step) for stage in stages]))
    for job in jobs:
        lines.append(_line(job, [sum(_least(stage, job, "cpu", step) for one, step in names if one == job)
                                 for stage in stages]))  # fmt: skip
    for stage in stages:
        lines.append(f"{stage['years']} y: {json.dumps({name: stage[name] for name in ('load', 'pages', 'size')})}\n")
        lines.append(f"    {json.dumps(stage['nights'][-1]['reads'])}\n")
    return "".join(lines)


def _least(stage: dict[str, Any], job: str, kind: str, step: str) -> float:
    return float(min(night["jobs"][job][kind].get(step) or 0 for night in stage["nights"]))


def _line(name: str, times: list[float]) -> str:
    ratio = times[-1] / times[0] if times[0] else float("nan")
    return f"{name:<40}" + "".join(f"{one:>8.2f}" for one in times) + f"{ratio:>10.2f}\n"


if __name__ == "__main__":
    main()
