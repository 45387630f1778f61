"""`manage.py order_drill`: kills the sender at its named points, and compares its book with the simulated broker's.

It works on a server and a database of its own, in a temporary folder; the user's database is not touched.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from tradingsite import env
from tradingsite.embedded.files import remove_directory
from tradingsite.embedded.servers import EmbeddedServers

_INSIDE: Final = "ORDER_DRILL_FOLDER"
MOST_ROUNDS: Final = 100_000


class Command(BaseCommand):
    help = (
        "Place orders on a simulated venue whose book lags and whose answers are lost, late or doubled, kill the sender"
        " at its named points, start it again, and count what is doubled, lost or of unknown fate."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--rounds", required=True, type=int, metavar="N", help="45 have every combination once")
        parser.add_argument("--seed", required=True, type=int, metavar="S", help="another seed draws other rounds")
        parser.add_argument("--dump", metavar="FILE", help="write both books and the ledger as JSON lines")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_: object, **options: Any) -> None:
        if not 1 <= options["rounds"] <= MOST_ROUNDS:
            raise CommandError(f"{options['rounds']} rounds cannot be played: use 1 to {MOST_ROUNDS}.")
        if inside := env.text(_INSIDE):
            self._play(Path(inside), options)
            return
        dump = _absolute(options["dump"])
        with tempfile.TemporaryDirectory(prefix="order-drill-", ignore_cleanup_errors=True) as name:
            Path(name).chmod(0o711)  # PostgreSQL's account passes through it
            folder = Path(name) / "drill"
            try:
                with EmbeddedServers(folder, durable=False, with_valkey=False) as servers:
                    code = _run_inside(folder, servers.postgres.url("drill"), options, dump)
            finally:
                remove_directory(folder)
        if code:
            sys.exit(code)

    def _play(self, folder: Path, options: dict[str, Any]) -> None:
        """Play the rounds in the database of the drill."""
        from portfolio.drill import market
        from portfolio.drill.rounds import LAGS, Outcome, Round, plan_of
        from portfolio.sending.points import POINTS

        signal.signal(signal.SIGINT, signal.default_int_handler)
        call_command("migrate", interactive=False, verbosity=0)
        market.write_market()
        started, outcomes = time.monotonic(), list[Outcome]()
        with _opened(options["dump"]) as dump, suppress(KeyboardInterrupt):  # report what was played so far
            for number in range(1, options["rounds"] + 1):
                outcome = Round(plan_of(number, options["seed"]), folder).play()
                outcomes.append(outcome)
                dump.writelines(f"{json.dumps(line)}\n" for line in outcome.lines)
                outcome.lines.clear()
                for sentence in (*outcome.doubled, *outcome.lost):
                    self.stderr.write(f"round {number} ({_words(outcome)}): {sentence}")
                if number % 100 == 0:
                    self.stderr.write(f"{number} rounds, {(time.monotonic() - started) / number:.2f} s a round")
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # one is enough: the report is written whole
        kills = Counter(point for outcome in outcomes for point in outcome.kills)
        lags = Counter(outcome.plan.lag_seconds for outcome in outcomes)
        answer = {
            "rounds": len(outcomes),
            "crash_points": {point: kills[point] for point in POINTS},
            "lags": {str(lag): lags[lag] for lag in LAGS},
            "doubled": sum(len(outcome.doubled) for outcome in outcomes),
            "lost": sum(len(outcome.lost) for outcome in outcomes),
            "unknown_open": sum(outcome.unknown for outcome in outcomes),
        }
        self.stdout.write(json.dumps(answer) if options["json"] else _text(answer, time.monotonic() - started))
        if answer["doubled"] or answer["lost"]:
            raise CommandError("The books differ; see above.")


def _words(outcome: Any) -> str:
    plan = outcome.plan
    return f"killed at {', '.join(outcome.kills) or 'no point'}, lag {plan.lag_seconds} s, answers {plan.answers}"


def _text(answer: dict[str, Any], seconds: float) -> str:
    lines = [f"rounds        {answer['rounds']:>7,} in {seconds:,.0f} s"]
    lines += [f"  killed at {point:<14} {times:>5,}" for point, times in answer["crash_points"].items()]
    lines += [f"  book lags {lag:>3} s {times:>12,}" for lag, times in answer["lags"].items()]
    lines += [f"{name:<13} {answer[name]:>7,}" for name in ("doubled", "lost", "unknown_open")]
    return "\n".join(lines)


def _opened(path: str | None) -> IO[str]:
    try:
        return Path(path or os.devnull).open("w", encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path!r} cannot be written ({error.strerror}); name another file.") from error


def _absolute(path: str | None) -> str | None:
    """Where the dump goes; tried before anything is played."""
    if path is None:
        return None
    _opened(path).close()
    return str(Path(path).absolute())


def _run_inside(folder: Path, database_url: str, options: dict[str, Any], dump: str | None) -> int:
    """Exit code of the process that plays; Ctrl-C and SIGTERM make it report the rounds played so far."""
    arguments = [f"--rounds={options['rounds']}", f"--seed={options['seed']}"]
    arguments += [f"--dump={dump}"] if dump else []
    arguments += ["--json"] if options["json"] else []
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "order_drill", *arguments]
    with subprocess.Popen(command, env=_environment(folder, database_url), start_new_session=True) as child:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: child.send_signal(signal.SIGINT))
        return child.wait()


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
        "LOG_FILE": str(folder / "logs" / "app.log"),
        "OMP_NUM_THREADS": "1",
        _INSIDE: str(folder),
    }
