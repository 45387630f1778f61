"""`manage.py write_simulated_archive`: writes a simulated market as the exchange's files, with an answer key."""

import json
from argparse import ArgumentParser
from datetime import date
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import track

from market_data.providers.simulator import EPOCH, FILE_KINDS, Simulator, chosen_kinds, write_archive

ANSWER_KEY = "incidents.json"


class Command(BaseCommand):
    help = (
        "Write a simulated market as a folder of the exchange's daily files, lists and report pack, to be read with"
        f" MARKET_DATA_PROVIDER=nse_archive. {ANSWER_KEY} in it lists the incidents and which files are wrong."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--to", required=True, type=Path, metavar="FOLDER", help="new or empty folder")
        parser.add_argument(
            "--until", required=True, type=date.fromisoformat, metavar="YYYY-MM-DD", help="last session"
        )
        parser.add_argument("--symbols", type=int, default=settings.SIMULATOR_SYMBOLS)
        parser.add_argument("--sessions", type=int, default=settings.SIMULATOR_SESSIONS)
        parser.add_argument("--seed", type=int, default=settings.SIMULATOR_SEED)
        parser.add_argument("--layout", choices=("full", "cm", "udiff"), default="full")
        parser.add_argument("--series", choices=("eq", "all"), default="eq")
        parser.add_argument(
            "--incidents", default="usual", metavar="KINDS", help="usual, every, none, or kinds joined by commas"
        )

    def handle(self, *_: object, **options: Any) -> None:
        folder: Path = options["to"]
        if folder.exists() and any(folder.iterdir()):
            raise CommandError(f"{folder} is not empty; name a new folder.")
        try:
            kinds = chosen_kinds(options["incidents"].split(","))
            market = Simulator(
                options["symbols"], options["sessions"], options["seed"], series=options["series"], own_incidents=kinds
            )
        except ValueError as error:
            raise CommandError(str(error)) from error
        sessions = market.sessions(None, options["until"])
        if not sessions:
            raise CommandError(f"The simulated market has no session up to {options['until']}; it begins on {EPOCH}.")
        console = Console(stderr=True)
        for session in track(sessions, "files", console=console, disable=not self.stderr.isatty()):
            write_archive(market, folder, [session], layout=options["layout"], lists=session == sessions[-1])
        answers = _answers(market, sessions[0], sessions[-1])
        (folder / ANSWER_KEY).write_text(json.dumps(answers, indent=1, default=str) + "\n", encoding="utf-8")
        self.stdout.write(f"{len(sessions)} sessions from {sessions[0]} to {sessions[-1]} are in {folder};")
        self.stdout.write(
            f"{ANSWER_KEY} lists {len(answers)} incidents. MARKET_DATA_PROVIDER=nse_archive reads them with"
        )
        self.stdout.write(f"NSE_ARCHIVE_DIR={folder}")


def _answers(market: Simulator, first: date, last: date) -> list[dict[str, Any]]:
    """Return the incidents, each with the symbol that its security had on the day; none where a whole file is hit."""
    return [
        {
            "session": incident.session,
            "kind": incident.kind,
            "symbol": None if incident.kind in FILE_KINDS else market.symbol_on(incident.place, incident.session),
            "sessions": incident.length,
            "ratio": incident.ratio,
        }
        for incident in market.incidents(first, last)
    ]
