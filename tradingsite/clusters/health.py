"""`python -m tradingsite.clusters.health CLUSTER`: whether a queue cluster is alive; the container's health check.

It queries the database over a connection of its own and does not load Django's applications, which would cost several
seconds of a processor each minute. `--end FILE` kills a stuck cluster whose main process wrote its process id into the
file: a container's restart policy restarts what has ended, never what only hangs.
"""

import argparse
import json
import socket
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
import psycopg

from tradingsite import settings
from tradingsite.clusters.liveness import STUCK_AFTER, Liveness, SilenceWatch, StepSign, read_liveness

_CONNECT_SECONDS = 5
ORDER_SENDER = "order_sender"
"""The process that watches over the senders of orders: no cluster, and it beats whatever there is to do."""


def host_liveness(cluster: str, host: str) -> Liveness:
    """Return the liveness of the part of a cluster that runs on a host; steps held there count as its own.

    psycopg.Error when the database cannot be queried.
    """

    def is_own(_cluster: str, step: StepSign) -> bool:
        return step.worker.partition(":")[0] == host

    with (
        psycopg.connect(**_connection_parameters(), connect_timeout=_CONNECT_SECONDS, application_name="health") as db,
        db.cursor() as cursor,
    ):
        moment = cursor.execute("SELECT statement_timestamp()").fetchone()
        assert moment is not None
        return read_liveness(cursor, [cluster], moment[0], is_own)[cluster]


def has_beaten(name: str) -> bool:
    """Whether a process has given a heartbeat within `STUCK_AFTER`. psycopg.Error when the database cannot be asked."""
    with psycopg.connect(**_connection_parameters(), connect_timeout=_CONNECT_SECONDS, application_name="health") as db:
        query = "SELECT 1 FROM heartbeats WHERE cluster = %s AND finished_at > statement_timestamp() - %s"
        return db.execute(query, [name, STUCK_AFTER]).fetchone() is not None


def description(liveness: Liveness) -> str:
    age = liveness.heartbeat_age_seconds
    heartbeat = "no heartbeat yet" if age is None else f"last heartbeat {age} s ago"
    state = f"{heartbeat}, and it holds no step" if liveness.is_stuck else heartbeat
    return f"cluster {liveness.cluster}: {'at work on a step' if liveness.is_at_work else state}"


def is_silent(pid_file: Path, liveness: Liveness) -> bool:
    """Whether the cluster has been silent by the monotonic clock too; earlier checks note it beside `pid_file`."""
    file = pid_file.with_suffix(".signs")
    try:
        watch = SilenceWatch(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        watch = SilenceWatch()
    silent = watch.is_silent(liveness, time.monotonic())
    with suppress(OSError):  # on a full disk nothing is killed
        file.write_text(json.dumps(asdict(watch)), encoding="utf-8")
    return silent


def end(pid_file: Path) -> str:
    """Kill the main process named in a file and its descendants, unless it has only just started; say what was done."""
    try:
        pid, age = int(pid_file.read_text()), time.time() - pid_file.stat().st_mtime
    except (OSError, ValueError):
        return f"{pid_file} names no process: nothing was ended."
    grace_seconds = STUCK_AFTER.total_seconds()
    if age < grace_seconds:
        return f"Process {pid} started {age:.0f} s ago: it is given {grace_seconds:.0f} s."
    try:
        main_process = psutil.Process(pid)
        family = [*main_process.children(recursive=True), main_process]
    except psutil.NoSuchProcess:
        return f"Process {pid} has ended already."
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    return f"Killed process {pid} and {len(family) - 1} below it; the restart policy starts the cluster again."


def main(arguments: list[str]) -> int:
    """Print one line and return the exit code: 0 alive; 1 stuck, never started or unknown."""
    parser = argparse.ArgumentParser(prog="tradingsite.clusters.health", description=__doc__)
    parser.add_argument("cluster", choices=(*settings.CLUSTERS, ORDER_SENDER))
    parser.add_argument("--end", type=Path, metavar="FILE", help="kill the stuck cluster whose process id is in FILE")
    options = parser.parse_args(arguments)
    try:
        if options.cluster == ORDER_SENDER:
            alive = has_beaten(ORDER_SENDER)
            sys.stdout.write(f"{ORDER_SENDER}: {'a' if alive else 'no'} heartbeat within {STUCK_AFTER}\n")
            return 0 if alive else 1
        liveness = host_liveness(options.cluster, socket.gethostname())
    except psycopg.Error as error:
        # Not the cluster's fault: it goes on when the database is back.
        sys.stdout.write(f"cluster {options.cluster}: the database cannot be queried ({type(error).__name__})\n")
        return 1
    # Asked at each check: what was noted last must not be older than one.
    silent = is_silent(options.end, liveness) if options.end else False
    outcome = f". {end(options.end)}" if liveness.is_stuck and silent else ""
    sys.stdout.write(f"{description(liveness)}{outcome}\n")
    return 0 if liveness.is_alive else 1


def _connection_parameters() -> dict[str, Any]:
    database = settings.DATABASES["default"]
    names = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}
    options = {name: value for name, value in database.get("OPTIONS", {}).items() if name != "application_name"}
    return {name: database[key] for name, key in names.items() if database.get(key)} | options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
