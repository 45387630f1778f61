"""`manage.py system_status`: data, jobs, clusters, models and picks on one screen."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from market_data.tables import ready_tables
from tradingsite.status import system_status


class Command(BaseCommand):
    """Prints the state of the system."""

    help = "Show data, jobs, clusters, models and picks on one screen."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add `--json`."""
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_: object, **options: Any) -> None:
        """Print it."""
        ready_tables(self.stderr)
        status = system_status(timezone.now())
        self.stdout.write(json.dumps(status, default=str) if options["json"] else screen(status))


def screen(status: dict[str, Any]) -> str:
    """Return one screen of text."""
    stocks, market = status["stocks"], status["market"]
    lines = [
        f"market    {market['provider']} ({market['kind']}), latest session {status['latest_session'] or 'none yet'}",
        f"stocks    {stocks['total']:,}, with price {stocks['with_price']:,},"
        f" with market cap {stocks['with_market_cap']:,}",
    ]
    lines += [
        f"{name:<22} {one['records']:>12,} rows to {one['latest_date']}" for name, one in status["tables"].items()
    ]
    lines += ["", f"{'job':<15} {'last':<11} {'session':<11} next (IST)"]
    lines += [_job_line(job) for job in status["jobs"]]
    lines += [""] + [_cluster_line(cluster) for cluster in status["clusters"]]
    found = ", ".join(f"{count} {severity}" for severity, count in status["findings"].items()) or "none"
    model, evaluation = status["model"], status["evaluation"]
    lines += [
        f"findings  {found}",
        f"model     {model['id']} ({model['status']})" if model else "model     none yet",
        f"judged    {evaluation['first_test']} to {evaluation['last_test']}"
        if evaluation
        else "judged    not yet (evaluate_models)",
        "picks     " + (", ".join(f"{name} {value}" for name, value in status["picks"].items()) or "none yet"),
    ]
    return "\n".join(lines)


def _job_line(job: dict[str, Any]) -> str:
    due = f"{timezone.localtime(job['next']):%a %d %b %H:%M}" if job["next"] else "not scheduled (sync_schedules)"
    waits = f"  waits for {', '.join(job['waits_for'])}" if job["waits_for"] else ""
    reason = f"  {job['reason']}" if job["reason"] else ""
    return f"{job['job']:<15} {job['status']:<11} {job['session'] or '-'!s:<11} {due}{waits}{reason}"


def _cluster_line(cluster: dict[str, Any]) -> str:
    age = cluster["heartbeat_age_seconds"]
    beat = "no heartbeat yet" if age is None else f"heartbeat {age} s ago"
    return f"cluster {cluster['cluster']:<6} {beat}, {cluster['queued']} queued"
