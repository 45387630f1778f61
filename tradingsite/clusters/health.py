"""`python -m tradingsite.clusters.health CLUSTER`: whether a queue cluster works; the container's health check.

It reads two facts over a connection of its own and leaves Django's applications out: with them it would take several
seconds of a processor each minute. `--end FILE` kills the cluster whose main process wrote its number into the file
when it is stuck: a container's restart policy starts again what has ended, and never what only hangs.
"""

import argparse
import socket
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import psycopg

from tradingsite import settings

# Heartbeats are planned each minute and looked for each half: younger silence says nothing by itself.
STUCK_AFTER_SECONDS = max(180, settings.CLUSTER_STUCK_SECONDS)
_CONNECT_SECONDS = 5

# A step of an hour keeps the only worker from its heartbeats, and renews its lease meanwhile.
_PROGRESS = """
    SELECT extract(epoch FROM now() - (SELECT max(finished_at) FROM heartbeats WHERE cluster = %(cluster)s))::float,
    EXISTS (SELECT 1 FROM pipeline_execution_tracking WHERE status = 'running' AND lease_until > now()
            AND split_part(worker, ':', 1) = %(host)s)"""


def progress(cluster: str, host: str) -> tuple[bool, str]:
    """Tell whether the cluster works, and why that is thought.

    Parameters
    ----------
    cluster : str
        Its name.
    host : str
        The machine whose leases count as its own.

    Raises
    ------
    psycopg.Error
        When the database cannot be asked.
    """
    with psycopg.connect(**_address(), connect_timeout=_CONNECT_SECONDS, application_name="health") as connection:
        row = connection.execute(_PROGRESS, {"cluster": cluster, "host": host}).fetchone()
    age, holds_lease = row if row else (None, False)
    if age is not None and age <= STUCK_AFTER_SECONDS:
        return True, f"cluster {cluster}: last heartbeat {age:.0f} s ago"
    if holds_lease:
        return True, f"cluster {cluster}: at work on a step"
    told = "no heartbeat yet" if age is None else f"last heartbeat {age:.0f} s ago"
    return False, f"cluster {cluster}: {told}, and it holds no step"


def end(pid_file: Path) -> str:
    """Kill the main process named in the file with all below it; one that has just started is given its time.

    Returns
    -------
    str
        What was done, as a sentence.
    """
    try:
        pid, age = int(pid_file.read_text()), time.time() - pid_file.stat().st_mtime
    except (OSError, ValueError):
        return f"{pid_file} names no process: nothing was ended."
    if age < STUCK_AFTER_SECONDS:
        return f"Process {pid} started {age:.0f} s ago: it is given {STUCK_AFTER_SECONDS} s."
    try:
        main = psutil.Process(pid)
        family = [*main.children(recursive=True), main]
    except psutil.NoSuchProcess:
        return f"Process {pid} has ended already."
    for process in family:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    return f"Killed process {pid} and {len(family) - 1} below it; the restart policy starts the cluster again."


def main(arguments: list[str]) -> int:
    """Print one line and return the exit code: 0 working, 1 stuck or unknown."""
    parser = argparse.ArgumentParser(prog="tradingsite.clusters.health", description=__doc__)
    parser.add_argument("cluster", choices=settings.CLUSTERS)
    parser.add_argument("--end", type=Path, metavar="FILE", help="kill the stuck cluster whose number is in FILE")
    options = parser.parse_args(arguments)
    try:
        works, line = progress(options.cluster, socket.gethostname())
    except psycopg.Error as error:
        # Not the cluster's fault: it goes on when the database is back.
        sys.stdout.write(f"cluster {options.cluster}: the database cannot be asked ({type(error).__name__})\n")
        return 1
    if not works and options.end:
        line = f"{line}. {end(options.end)}"
    sys.stdout.write(f"{line}\n")
    return 0 if works else 1


def _address() -> dict[str, Any]:
    one = settings.DATABASES["default"]
    parts = {
        "host": one.get("HOST"),
        "port": one.get("PORT"),
        "user": one.get("USER"),
        "password": one.get("PASSWORD"),
        "dbname": one["NAME"],
    }
    wanted = {name: value for name, value in parts.items() if value}
    return wanted | {name: value for name, value in one.get("OPTIONS", {}).items() if name != "application_name"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
