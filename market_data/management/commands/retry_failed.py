"""`manage.py retry_failed [RUN]`: retries the failed steps of a run, on the same rows."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from market_data.models import PipelineRun
from market_data.runs import lifecycle
from market_data.runs.command import execute_run, failure, run_report, summary
from market_data.runs.pending_migrations import apply_pending_migrations
from market_data.runs.saga import SagaError


class Command(BaseCommand):
    help = "Retry the failed steps of a run (default: the latest run that failed)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", nargs="?", help="id of the run, or one of its retry_… aliases")
        parser.add_argument(
            "--json", action="store_true", help="print one JSON object on standard output and nothing else there"
        )

    def handle(self, *_: object, **options: Any) -> None:
        apply_pending_migrations(self.stderr)
        run_id = options["run"] or _latest_failed_run().id
        try:
            run, names = lifecycle.retry_failed(run_id, triggered_by="command")
        except SagaError as error:
            raise CommandError(str(error)) from error
        self.stderr.write(f"Retrying {', '.join(names)} of {run.id}")
        run = execute_run(run, quiet=options["json"])
        self.stdout.write(json.dumps(run_report(run), default=str) if options["json"] else summary(run))
        if run.status != PipelineRun.Status.COMPLETED:
            raise CommandError(failure(run))


def _latest_failed_run() -> PipelineRun:
    run = PipelineRun.objects.filter(status=PipelineRun.Status.FAILED).order_by("-sequence").first()
    if run is None:
        raise CommandError("No run has failed.")
    return run
