"""`./run.sh drill`: evenings of a simulated market with faults at random points, compared with undisturbed ones.

It works on a server and a database of its own, in a temporary folder; the user's database is not touched. The process
that plays is a child whose settings point at that server.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import django
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tests.faults.drill.small_disk import FOLDER, unmount
from tradingsite.audit.origin import declare_service
from tradingsite.embedded.files import remove_directory
from tradingsite.embedded.servers import EmbeddedServers

if TYPE_CHECKING:
    # These import models, so only the process that plays may import them, after Django has read its settings.
    from tests.faults.drill.drill import Drill
    from tests.faults.drill.round import Outcome

ROOT = Path(__file__).parent.parent.parent
LEASE_SECONDS = 2
"""Long enough for a worker that is merely slow on a busy machine, short enough to wait for in a round."""


def main() -> None:
    """Start a server and play in a child whose settings point at it; exit 1 when a round left a difference."""
    options = _options(sys.argv[1:])
    if options.inside:
        sys.exit(_play(Path(options.inside), options))
    folder = Path(tempfile.mkdtemp(prefix="fault-drill-"))
    folder.chmod(0o711)  # PostgreSQL's account passes through it to the small disk
    try:
        with EmbeddedServers(folder, durable=False, with_valkey=False) as servers:
            command = [sys.executable, "-m", "tests.faults", *sys.argv[1:], f"--inside={folder}"]
            code = _run_child(command, _environment(folder, servers.postgres.url("drill")))
    finally:
        unmount(folder / FOLDER)
        remove_directory(folder)
    if code:
        sys.stderr.write("The drill found a difference, or could not continue; see above.\n")
    sys.exit(code)


def _options(arguments: list[str]) -> Namespace:
    parser = ArgumentParser(
        prog="./run.sh drill",
        description="Kills, stops, cuts off and fills up what executes an evening, at random points, and compares the"
        " tables and files with those of an undisturbed evening. Ctrl-C reports the rounds played so far.",
    )
    parser.add_argument("--rounds", type=int, default=100, help="random rounds (default 100)")
    parser.add_argument("--seed", type=int, default=1, help="another seed draws other faults (default 1)")
    parser.add_argument("--symbols", type=int, default=40, help="securities in the market (default 40)")
    parser.add_argument(
        "--training-every", type=int, default=25, help="rounds between two with training (default 25); 0: never"
    )
    parser.add_argument(
        "--overlapping",
        action="store_true",
        help="several operators act on the same tables at once",
    )
    parser.add_argument("--each-step", action="store_true", help="first strike every step of every job in turn")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    parser.add_argument("--only", type=int, metavar="ROUND", help="repeat this round of the seed alone")
    parser.add_argument("--first", type=int, default=1, metavar="ROUND", help="start with this round (default 1)")
    parser.add_argument("--kind", default="", metavar="WORDS", help="only faults whose name contains these words")
    parser.add_argument("--inside", metavar="FOLDER", help="(used by the command itself)")
    options = parser.parse_args(arguments)
    if options.rounds < 0 or options.symbols < 20:
        parser.error("--rounds must be at least 0 and --symbols at least 20")
    return options


def _environment(folder: Path, database_url: str) -> dict[str, str]:
    """Variables of the process that plays: nothing of the user's environment but a default PATH."""
    return {
        "PATH": os.defpath,
        "HOME": str(folder),
        "DJANGO_SETTINGS_MODULE": "tradingsite.settings",
        "IGNORE_DOTENV": "1",
        "DATABASE_URL": database_url,
        "VAR_DIR": str(folder),
        "EXPORT_DIR": str(folder / "exports"),
        "MODELS_DIR": str(folder / "models"),
        "LOG_FILE": str(folder / "logs" / "app.log"),
        "MARKET_DATA_PROVIDER": "nse_archive",
        "NSE_ARCHIVE_DIR": str(folder / "exchange"),
        "STEP_LEASE_SECONDS": str(LEASE_SECONDS),
        "STEP_PAUSE_SECONDS": "0",
        "OMP_NUM_THREADS": "1",
    }


def _run_child(command: list[str], environment: dict[str, str]) -> int:
    """Exit code of the process that plays; Ctrl-C and SIGTERM make it report the rounds played so far."""
    with subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True) as child:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: child.send_signal(signal.SIGINT))
        return child.wait()


def _play(folder: Path, options: Namespace) -> int:
    """Play the rounds and print the report; return 1 when one left a difference."""
    declare_service()  # it plays the clusters' part
    django.setup()
    from tests.faults.drill.drill import Drill

    # A background process of a shell ignores SIGINT, which is how the parent ends the drill.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    drill = Drill(folder, options.symbols, options.seed, options.training_every, options.kind)
    started_at = time.monotonic()
    sys.stderr.write(f"building a market of {options.symbols} symbols and the evening to compare with …\n")
    if options.overlapping:
        play_random = drill.prepare_overlapping().play_random
    else:
        undisturbed, play_random = drill.prepare(), drill.play_random
        sys.stderr.write(
            f"an undisturbed evening takes {undisturbed.seconds:.2f} s, {undisturbed.statements} statements,"
            f" {undisturbed.copies} blocks of COPY\n"
        )
    sys.stderr.write(f"built in {time.monotonic() - started_at:.0f} s\n")
    plays = _plays(drill, play_random, options)
    columns = (TextColumn("rounds"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    outcomes: list[Outcome] = []
    started_at = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task("rounds", total=len(plays))
        with suppress(KeyboardInterrupt):  # report what was played so far
            for play in plays:
                outcomes.append(play())
                progress.advance(bar)
                _report_progress(outcomes, len(plays), is_quiet=not progress.disable)
    seconds = time.monotonic() - started_at
    as_json = json.dumps({"seconds": seconds, "rounds": [asdict(outcome) for outcome in outcomes]})
    sys.stdout.write((as_json if options.json else report(outcomes, seconds)) + "\n")
    return int(any(outcome.differences for outcome in outcomes))


def _plays(
    drill: "Drill", play_random: "Callable[[int], Outcome]", options: Namespace
) -> "list[Callable[[], Outcome]]":
    """The planned faults of each step, if wanted, then the random rounds."""
    if options.only is not None:
        return [partial(play_random, options.only)]
    planned = drill.each_step() if options.each_step else []
    # Planned rounds have negative numbers: those of random rounds choose their fault.
    plays = [partial(drill.play, -place, fault, template) for place, (fault, template) in enumerate(planned, 1)]
    return [*plays, *(partial(play_random, number) for number in range(options.first, options.rounds + 1))]


def _report_progress(outcomes: "list[Outcome]", total: int, *, is_quiet: bool) -> None:
    last = outcomes[-1]
    if last.differences:
        sys.stderr.write(f"round {last.number}, {last.kind}: {'; '.join(last.differences)}\n")
    elif not is_quiet and (len(outcomes) % 25 == 0 or len(outcomes) == total):
        different = sum(bool(outcome.differences) for outcome in outcomes)
        sys.stderr.write(f"{len(outcomes)} of {total} rounds, {different} differ\n")


def report(outcomes: "list[Outcome]", seconds: float) -> str:
    """Summary of the rounds, on one screen."""
    from tests.faults.drill.round import tally

    different = [outcome for outcome in outcomes if outcome.differences]
    lines = [f"rounds       {len(outcomes):>7,} in {seconds:,.0f} s, {seconds / max(1, len(outcomes)):.2f} s a round"]
    lines += [f"  {kind:<36} {drawn:>5}, struck {struck:>5}" for kind, (drawn, struck) in tally(outcomes).items()]
    recoveries = [(outcome.recovery_seconds, outcome) for outcome in outcomes if outcome.recovery_seconds is not None]
    lines.append(f"recoveries   {len(recoveries):>7,}")
    if recoveries:
        slowest_seconds, slowest = max(recoveries, key=lambda recovery: recovery[0])
        lines.append(
            f"to recover   median {statistics.median(recovery for recovery, _ in recoveries):.2f} s,"
            f" slowest {slowest_seconds:.2f} s (round {slowest.number}, {slowest.kind})"
        )
    lines.append(f"differences  {len(different):>7,}")
    lines += [f"  round {outcome.number}, {outcome.kind}: {'; '.join(outcome.differences)}" for outcome in different]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
