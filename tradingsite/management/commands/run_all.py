"""`manage.py run_all`: the whole evening of one session, job after job, in this process."""

import json
import time
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from market_data.models import PipelineRun
from market_data.runs.command import duration_seconds, execute_job, failure, requested_session, run_report, summary
from market_data.runs.pending_migrations import apply_pending_migrations
from ml.evening_facts import lists_in_force, newest_model
from tradingsite.schedule import whole_evening


class Command(BaseCommand):
    help = (
        "Run the whole evening of one session: fundamentals (if FUNDAMENTALS_DIR is set), pipeline, fill data, business"
        " logic, validation, training, selection, CSV export and scoreboard."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--date", metavar="YYYY-MM-DD", help="session to run for (default: the latest completed one)"
        )
        parser.add_argument(
            "--json", action="store_true", help="print one JSON object on standard output and nothing else"
        )

    def handle(self, *_: object, **options: Any) -> None:
        """Run the jobs in order; stop at the first one that does not complete."""
        quiet = options["json"]
        apply_pending_migrations(self.stderr)
        session = requested_session(options["date"])
        started = time.monotonic()
        if settings.FUNDAMENTALS_DIR:
            call_command("import_fundamentals", stdout=self.stderr)
        runs: list[PipelineRun] = []
        for job in whole_evening():
            runs.append(execute_job(job, session, quiet=quiet))
            # Without a new model the selection uses a recent one, or publishes why there are no picks.
            if runs[-1].status != PipelineRun.Status.COMPLETED and job != "training":
                break
        self._print_report(session, runs, time.monotonic() - started, quiet=quiet)
        failed = [run for run in runs if run.status != PipelineRun.Status.COMPLETED]
        if failed:
            raise CommandError(failure(failed[0]))

    def _print_report(self, session: date, runs: list[PipelineRun], took: float, *, quiet: bool) -> None:
        if quiet:
            jobs = [run_report(run) for run in runs]
            self.stdout.write(json.dumps({"session": session, "seconds": round(took, 1), "jobs": jobs}, default=str))
            return
        for run in runs:
            self.stdout.write(f"{run.job:<15} {run.status:<10} {duration_seconds(run) or 0:>7.1f} s   {run.reason}")
        self.stdout.write("")
        self.stdout.write(summary(runs[0]))
        self.stdout.write(_evening_report(session))
        self.stdout.write(f"Total {took:.0f} s.")


def _model_figures(metrics: dict[str, Any]) -> str:
    """Rank correlation and net excess of the walk-forward; empty for a model that was fitted without them."""
    ranking, net = metrics.get("rank_ic", {}), metrics.get("net_excess_pct", {})
    if ranking.get("mean") is None or net.get("mean") is None:
        return ""
    return (
        f"; on {ranking['days']} sessions it had not seen: rank correlation {ranking['mean']:.3f},"
        f" first 50 {net['mean']:+.1f} % a year over the market after costs"
    )


def _evening_report(session: date) -> str:
    """The newest model, each strategy's picks and the export folder."""
    lines = []
    if model := newest_model(session):
        lines.append(f"model {model.pk}: {model.status}, {model.samples:,} samples{_model_figures(model.metrics)}")
    for publication in lists_in_force(session).defer(None):
        first = ", ".join(pick["symbol"] for pick in publication.picks[:5])
        reason = f"  ({publication.reason})" if publication.reason else ""
        lines.append(f"{publication.strategy:<10} {publication.count:>3} picks  {first}{reason}")
    return "\n".join([*lines, f"exports in {settings.EXPORT_DIR}"])
