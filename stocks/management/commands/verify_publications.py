"""`manage.py verify_publications`: whether every published list still is what was published."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from stocks.models import Publication, SuggestedStock
from stocks.picks import heads


class Command(BaseCommand):
    help = (
        "Recompute the hashes of all published lists and their chain, compare the picks in force with the copies kept,"
        " and name the first break. With --text, print the text whose SHA-256 a list's hash is."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--text", metavar="LIST", help="print the hashed text of this list's newest head")
        parser.add_argument(
            "--session", metavar="YYYY-MM-DD", type=_day, help="of the list of --text (default: the newest)"
        )

    def handle(self, *_: object, **options: Any) -> None:
        if options["session"] and not options["text"]:
            raise CommandError("--session selects the list of --text: give both.")
        if options["text"]:
            self._print_text(options["text"], options["session"])
            return
        names = list(Publication.objects.order_by("strategy").values_list("strategy", flat=True).distinct())
        for name in names:
            self._verify(name)
        self.stdout.write("Every list is as it was published." if names else "No list has been published yet.")

    def _print_text(self, strategy: str, session: date | None) -> None:
        lists = Publication.objects.filter(strategy=strategy, **({"date": session} if session else {}))
        newest = lists.order_by("-pk").first()
        if newest is None or not newest.head_hash:
            day = f" of {session}" if session else ""
            raise CommandError(f"There is no {strategy[:50]} list{day} with a hash.")
        self.stdout.write(heads.canonical_head(newest, newest.previous_hash), ending="")

    def _verify(self, strategy: str) -> None:
        stored = Publication.objects.filter(strategy=strategy).order_by("pk")
        if broken := heads.first_break(stored.iterator(chunk_size=50)):
            publication = broken.publication
            raise CommandError(
                f"The {strategy} list of {publication.date}, version {publication.version}, is the first break:"
                f" {broken.reason}. Compare it with a signed back-up."
            )
        for publication in stored.filter(superseded_at=None).iterator(chunk_size=50):
            _refuse_other_rows(publication)
        hashes = stored.exclude(head_hash="").values_list("head_hash", flat=True)
        self.stdout.write(f"{strategy}: {len(hashes)} of {stored.count()} with a hash, last {hashes.last() or '–'}")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text[:50]!r} is not a date; write it as YYYY-MM-DD.") from None


def _as_copied(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as JSON keeps it: days as texts."""
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in row.items()}


def _refuse_other_rows(publication: Publication) -> None:
    """Refuse picks in force that differ from the copy kept with their publication."""
    stored = SuggestedStock.objects.filter(publication=publication)
    rows = {row["symbol"]: _as_copied(row) for row in stored.values()}
    copies = {pick["symbol"]: pick for pick in publication.picks}
    for symbol in sorted(rows.keys() | copies.keys()):
        row, copy = rows.get(symbol), copies.get(symbol)
        if row is None or copy is None or any(row[name] != value for name, value in copy.items() if name in row):
            raise CommandError(
                f"The {publication.strategy} list of {publication.date}, version {publication.version}, is the first"
                f" break: {symbol} in daily_suggested_stocks is not what was published."
            )
