"""`manage.py fault_drill`: evenings of a simulated market with faults at random points, against one left in peace.

It works on a server and a database of its own, in a temporary folder; the user's database is not touched.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tradingsite.drill.small_disk import FOLDER, unmount
from tradingsite.embedded.files import remove
from tradingsite.embedded.servers import EmbeddedServers

if TYPE_CHECKING:
    # Imported where it plays: the module's server and settings are those of the process inside.
    from tradingsite.drill.playing import Drill
    from tradingsite.drill.rounds import Outcome

LEASE_SECONDS = 2
"""Long enough for a worker that is merely slow on a busy machine, short enough to wait for in a round."""


class Command(BaseCommand):
    """Plays rounds of the fault drill and says what was different afterwards: nothing, or it ends with code 1."""

    help = "Kill, stop, cut off and fill up what does an evening, at random points, and compare with one left in peace."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the number of rounds, the seed, the size of the market, and which round to repeat."""
        parser.add_argument("--rounds", type=int, default=100, help="how many evenings (default 100)")
        parser.add_argument("--seed", type=int, default=1, help="another seed draws other faults (default 1)")
        parser.add_argument("--symbols", type=int, default=40, help="securities in the market (default 40)")
        parser.add_argument(
            "--training-every", type=int, default=25, help="every so many rounds models are trained too; 0 never"
        )
        parser.add_argument(
            "--each-step", action="store_true", help="first strike every step of every job in turn, as planned faults"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
        parser.add_argument("--only", type=int, metavar="ROUND", help="play this round of the seed again, alone")
        parser.add_argument("--first", type=int, default=1, metavar="ROUND", help="begin with this round (default 1)")
        parser.add_argument("--kind", default="", metavar="WORDS", help="only faults whose name has these words")
        parser.add_argument("--inside", metavar="FOLDER", help="(used by the command itself)")

    def handle(self, *_: object, **options: Any) -> None:
        """Start a server of its own and play in a process whose settings point at it.

        Raises
        ------
        CommandError
            When a round left a difference, or did not end.
        """
        if options["rounds"] < 0 or options["symbols"] < 20:
            raise CommandError("--rounds is at least 0 and --symbols at least 20.")
        if options["inside"]:
            self._play(Path(options["inside"]), options)
            return
        folder = Path(tempfile.mkdtemp(prefix="fault-drill-"))
        try:
            with EmbeddedServers(folder, durable=False, with_valkey=False) as servers:
                environment = _environment(folder, servers.postgres.url("drill"), options)
                given = [
                    f"--{name.replace('_', '-')}={options[name]}" for name in _PASSED_ON if options[name] is not None
                ]
                given += [f"--{name.replace('_', '-')}" for name in ("each_step", "json") if options[name]]
                command = [sys.executable, "manage.py", "fault_drill", f"--inside={folder}", *given]
                code = _played_inside(command, environment)
        finally:
            unmount(folder / FOLDER)
            remove(folder)
        if code:
            raise CommandError("The drill found a difference, or could not go on; see above.", returncode=code)

    def _play(self, folder: Path, options: dict[str, Any]) -> None:
        from tradingsite.drill.playing import Drill

        # A shell starts what runs in its background deaf to this signal, with which the drill is asked to stop.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        drill = Drill(folder, options["symbols"], options["seed"], options["training_every"], options["kind"])
        begun = time.monotonic()
        self.stderr.write(f"making a market of {options['symbols']} symbols and the evening to compare with …")
        usual = drill.prepare()
        self.stderr.write(
            f"made in {time.monotonic() - begun:.0f} s; an evening left in peace takes {usual.seconds:.2f} s,"
            f" {usual.statements} statements, {usual.copies} blocks of COPY"
        )
        plays = _plays(drill, options)
        columns = (TextColumn("rounds"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        outcomes: list[Outcome] = []
        begun = time.monotonic()
        with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
            bar = progress.add_task("rounds", total=len(plays))
            with suppress(KeyboardInterrupt):  # what was played is reported all the same
                for play in plays:
                    outcomes.append(play())
                    progress.advance(bar)
                    self._note(outcomes, len(plays), quiet=not progress.disable)
        seconds = time.monotonic() - begun
        as_json = json.dumps({"seconds": seconds, "rounds": [asdict(one) for one in outcomes]})
        self.stdout.write(as_json if options["json"] else report(outcomes, seconds))
        if any(one.differences for one in outcomes):
            raise CommandError("There are differences.")

    def _note(self, outcomes: "list[Outcome]", total: int, *, quiet: bool) -> None:
        last = outcomes[-1]
        if last.differences:
            self.stderr.write(f"round {last.number}, {last.kind}: {'; '.join(last.differences)}")
        elif not quiet and (len(outcomes) % 25 == 0 or len(outcomes) == total):
            self.stderr.write(
                f"{len(outcomes)} of {total} rounds, {sum(bool(one.differences) for one in outcomes)} differ"
            )


def _plays(drill: "Drill", options: dict[str, Any]) -> "list[Callable[[], Outcome]]":
    """Return what is to be played: each step in turn if wanted, then the rounds at random."""
    if options["only"] is not None:
        return [partial(drill.round, options["only"])]
    planned = drill.each_step() if options["each_step"] else []
    plays = [partial(drill.play, -place, fault, template) for place, (fault, template) in enumerate(planned, 1)]
    return [*plays, *(partial(drill.round, number) for number in range(options["first"], options["rounds"] + 1))]


def _played_inside(command: list[str], environment: dict[str, str]) -> int:
    """Return the exit code of the process that plays; Ctrl-C and SIGTERM have it report what it has played so far."""
    with subprocess.Popen(command, cwd=settings.BASE_DIR, env=environment, start_new_session=True) as inside:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: inside.send_signal(signal.SIGINT))
        return inside.wait()


_PASSED_ON = ("rounds", "seed", "symbols", "training_every", "only", "first", "kind")


def _environment(folder: Path, address: str, options: dict[str, Any]) -> dict[str, str]:
    """Return the variables of the process that plays: nothing of the user's but the program's own path."""
    return {
        "PATH": os.defpath,
        "HOME": str(folder),
        "IGNORE_DOTENV": "1",
        "DATABASE_URL": address,
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


def report(outcomes: "list[Outcome]", seconds: float) -> str:
    """Return what the rounds showed, on one screen."""
    from tradingsite.drill.rounds import tallied

    recoveries = sorted(one.recovery_seconds for one in outcomes if one.recovery_seconds is not None)
    different = [one for one in outcomes if one.differences]
    lines = [f"rounds       {len(outcomes):>7,} in {seconds:,.0f} s, {seconds / max(1, len(outcomes)):.2f} s a round"]
    lines += [f"  {kind:<36} {drawn:>5}, struck {struck:>5}" for kind, (drawn, struck) in tallied(outcomes).items()]
    lines.append(f"recoveries   {len(recoveries):>7,}")
    if recoveries:
        slowest = max(
            (one for one in outcomes if one.recovery_seconds is not None), key=lambda one: one.recovery_seconds or 0.0
        )
        lines.append(
            f"to recover   median {statistics.median(recoveries):.2f} s,"
            f" slowest {slowest.recovery_seconds:.2f} s (round {slowest.number}, {slowest.kind})"
        )
    lines.append(f"differences  {len(different):>7,}")
    lines += [f"  round {one.number}, {one.kind}: {'; '.join(one.differences)}" for one in different]
    return "\n".join(lines)
