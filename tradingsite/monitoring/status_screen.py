"""Prints the facts of `tradingsite.monitoring.status` on one screen, in colours on a terminal."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any, TextIO, cast

from django.core.management.base import OutputWrapper
from django.utils import timezone
from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from market_data.runs.prerequisites import describe_all, parse_all

_COLOURS = {
    "running": "cyan",
    "waiting": "yellow",
    "completed": "green",
    "failed": "bold red",
    "error": "bold red",
    "warning": "yellow",
    "cancelled": "yellow",
    "never run": "dim",
}
_PLAIN_WIDTH = 120


def print_screen(status: dict[str, Any], stream: "TextIO | OutputWrapper") -> None:
    """Print `system_status(now) | {"parts": readiness(now), "verdict": asdict(current_verdict(now))}`.

    On a terminal the screen has colours and the terminal's width.
    """
    width = None if stream.isatty() else _PLAIN_WIDTH
    Console(file=cast("TextIO", stream), width=width, highlight=False, soft_wrap=False).print(screen(status))


def screen(status: dict[str, Any]) -> RenderableType:
    """Return readiness, verdict, data, jobs, and the reasons of jobs that are not complete."""
    head = (*_readiness(status["parts"]), _verdict(status["verdict"]), Text())
    return Group(*head, _facts(status), _jobs(status["jobs"]), *_reasons(status["jobs"]))


def _verdict(verdict: dict[str, Any]) -> Text:
    day = f"{_day(verdict['session'])}: " if verdict["session"] else ""
    return Text.assemble(f"{day}", (verdict["head"], "bold"), f". {verdict['why']} {verdict['exclusions']}".rstrip())


def _readiness(parts: dict[str, Any]) -> Iterable[Text]:
    bad = {name: part["detail"] for name, part in parts.items() if not part["ok"]}
    if not bad:
        yield Text("READY  all of " + ", ".join(parts), style="bold green")
    else:
        yield Text("NOT READY", style="bold red")
    for name, detail in bad.items():
        yield Text.assemble((f"  {name:<9}", "red"), detail)


def _facts(status: dict[str, Any]) -> Table:
    stocks, market = status["stocks"], status["market"]
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_column(justify="right")
    grid.add_column()
    day = f"latest session {_day(status['latest_session'])}"
    grid.add_row("market", market["kind"], f"{day}, from {market['provider']}")
    coverage = f"{stocks['with_price']:,} with a price, {stocks['with_market_cap']:,} with a market cap"
    grid.add_row("stocks", f"{stocks['total']:,}", coverage)
    for name, total in status["tables"].items():
        grid.add_row(name.replace("_", " "), f"{total['records']:,}", f"to {_day(total['latest_date'])}")
    for cluster in status["clusters"]:
        grid.add_row(f"cluster {cluster['cluster']}", f"{cluster['queued']:,} queued", _heartbeat(cluster))
    grid.add_row("findings", f"{sum(status['findings'].values()):,}", _findings(status["findings"]))
    grid.add_row("kept out", f"{sum(status['kept_out'].values()):,}", _kept_out(status["kept_out"]))
    grid.add_row("model", *_model(status["model"], status["evaluation"]))
    grid.add_row("champion", *_champion(status["champion"]))
    grid.add_row("picks", *_picks(status["picks"]))
    return grid


def _heartbeat(cluster: dict[str, Any]) -> Text:
    age = cluster["heartbeat_age_seconds"]
    if age is None:
        return Text("no heartbeat yet", "red")
    return Text(f"heartbeat {age} s ago" if age < 600 else f"last heartbeat {timedelta(seconds=age)} h ago")


def _findings(counts: dict[str, int]) -> Text:
    parts = [Text(f"{count:,} {severity}", _COLOURS.get(severity, "")) for severity, count in counts.items()]
    return Text(", ").join(parts) if parts else Text("none for the latest session")


def _kept_out(by_check: dict[str, int]) -> str:
    """The shares that findings keep out of the picks, by check."""
    return ", ".join(f"{check.replace('_', ' ')} {count}" for check, count in by_check.items()) or "no share"


def _model(model: dict[str, Any] | None, evaluation: dict[str, Any] | None) -> tuple[str, str]:
    tested = f"evaluated {evaluation['first_test']} to {evaluation['last_test']}" if evaluation else "not evaluated yet"
    if model is None:
        return "none yet", f"{tested} (train_models, evaluate_models)"
    return str(model["status"]), f"{model['id']}, {tested}"


def _champion(champion: dict[str, Any] | None) -> tuple[str, str]:
    if champion is None:
        return "none yet", "the first accepted training makes one"
    challenger = champion["challenger"]
    standing = f"; {challenger['estimator']} {challenger['recipe']}: {challenger['standing']}" if challenger else ""
    return str(champion["estimator"]), f"{champion['recipe']}, since {_day(champion['since'])}{standing}"


def _picks(picks: dict[str, Any]) -> tuple[str, str]:
    if not picks:
        return "none yet", "suggest_stocks publishes them"
    lists = {name: count for name, count in picks.items() if name not in ("date", "valid_for")}
    counts = ", ".join(f"{name} {count}" for name, count in lists.items())
    return f"{sum(lists.values()):,}", f"of {_day(picks['date'])} for {_day(picks['valid_for'])}: {counts}"


def _jobs(jobs: list[dict[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False)
    for column in ("job", "last run", "session", "ended (IST)", "next (IST)", "waits for"):
        table.add_column(column, no_wrap=column != "waits for")
    for job in jobs:
        table.add_row(
            job["job"],
            _job_state(job),
            _day(job["session"]),
            _moment(job["ended_at"]),
            _moment(job["next"]) if job["next"] else "not scheduled (sync_schedules)",
            describe_all(parse_all(job["waits_for"])),
        )
    return table


def _job_state(job: dict[str, Any]) -> Text:
    state = Text(job["status"], _COLOURS.get(job["status"], ""))
    rerun = job["rerun"]
    return state if rerun is None else Text.assemble(state, (f", re-run {rerun['status']}", _COLOURS["failed"]))


def _reasons(jobs: list[dict[str, Any]]) -> Iterable[Text]:
    for job in jobs:
        if job["reason"] and job["status"] != "completed":
            yield Text.assemble((f"{job['job']}: ", "bold"), job["reason"], (f"  ({job['last_run']})", "dim"))
        if rerun := job["rerun"]:
            head = (f"{job['job']}, re-run {rerun['status']} {_moment(rerun['ended_at'])}: ", "bold red")
            yield Text.assemble(head, rerun["reason"], (f"  ({rerun['run']}; {job['last_run']} stands)", "dim"))


def _day(day: date | None) -> str:
    return "–" if day is None else str(day)


def _moment(moment: datetime | None) -> str:
    return "–" if moment is None else f"{timezone.localtime(moment):%a %d %b %H:%M}"
