"""`manage.py model_guide`: rewrite the parts of the guide to the models that the registry and stored reports know."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ml.model_card import guide
from ml.model_card.queries import Card, model_card
from portfolio.pages.model_page import lists_shown, plots, plots_of_lists
from portfolio.pages.plot_files import write_plots


class Command(BaseCommand):
    help = (
        "Rewrite the parts of docs/ML_GUIDE.md that the registry and the stored reports about the champion know; what"
        " no report says yet stays as it is."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        default = settings.BASE_DIR / "docs" / "ML_GUIDE.md"
        parser.add_argument("--file", type=Path, default=default, help="the guide (default: docs/ML_GUIDE.md)")
        parser.add_argument(
            "--images", type=Path, metavar="DIR", help="folder of the plots (default: images beside it)"
        )
        parser.add_argument(
            "--registry",
            action="store_true",
            help="only what needs no database: members, estimators, settings, features",
        )

    def handle(self, *_: object, **options: Any) -> None:
        path: Path = options["file"]
        if not path.is_file():
            raise CommandError(f"{path} is not a file; pass the guide as --file.")
        example = (settings.BASE_DIR / ".env.example").read_text(encoding="utf-8")
        parts = guide.registry_parts(example)
        if not options["registry"]:
            parts |= self._figures(model_card(), path, options["images"] or path.parent / "images")
        try:
            text = guide.with_parts(path.read_text(encoding="utf-8"), parts)
        except guide.GuideUnmarked as error:
            raise CommandError(str(error)) from error
        path.write_text(text, encoding="utf-8")
        self.stdout.write(f"{path}: {', '.join(parts)}")

    def _figures(self, card: Card, path: Path, directory: Path) -> dict[str, str]:
        if card.report is None:
            self.stderr.write("No report about the champion is stored, so its figures stay as they are: model_report.")
            return {}
        drawn = [*plots(card), *plots_of_lists(card)]
        images = [
            (plot.title, Path(os.path.relpath(file.resolve(), path.resolve().parent)).as_posix())
            for plot, file in zip(drawn, write_plots(drawn, directory), strict=True)
        ]
        return {"figures": guide.figures_part(card, lists_shown(card), images)}
