"""The evening in plain sentences: is the data in, what was found, when the picks are due, what waits for what."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django.db.models import Count
from django_q.models import Schedule

from market_data import trading_calendar
from market_data.models import Finding, PipelineRun, SourceFile
from market_data.runs.queries import RunState, newest_runs
from market_data.runs.saga import job_title
from ml.models import TrainedModel
from portfolio.pages.date_text import day_text, time_text
from stocks.picks.queries import latest_listed_session, newest_publications
from stocks.picks.screening import STRATEGIES

JOBS: Final = ("pipeline", "fill_data", "business_logic", "validation", "training", "selection")
"""The jobs between the close and the picks, in their order."""


@dataclass(frozen=True)
class Sentence:
    """One fact of the evening; `tone` is good, wait or bad."""

    tone: str
    text: str


@dataclass(frozen=True)
class JobState:
    """One job of the evening: its newest run for the session (None before it was planned) and its next start."""

    name: str
    title: str
    run: RunState | None
    next_start: datetime | None

    @property
    def words(self) -> str:
        """Return where the job stands, as a sentence."""
        if self.run is None:
            return f"Starts {time_text(self.next_start)}." if self.next_start else "Not planned yet."
        if self.run.status == PipelineRun.Status.WAITING:
            names = " and ".join(self.run.waits_for)
            return f"Waits for {names}." if names else "Held until the evening is released."
        if self.run.status == PipelineRun.Status.RUNNING:
            step = f": {self.run.current.title.lower()}" if self.run.current else ""
            return f"Running{step}, {self.run.progress:.0%} done."
        ended = f" {time_text(self.run.ended_at)}" if self.run.ended_at else ""
        reason = f": {self.run.reason}" if self.run.reason else ""
        return f"{self.run.status.replace('_', ' ').capitalize()}{ended}{reason}".rstrip(".") + "."


@dataclass(frozen=True)
class EveningStatus:
    """What the page of the system's state shows."""

    expected: date | None
    sentences: list[Sentence]
    jobs: list[JobState]


def evening_status(now: datetime) -> EveningStatus:
    """Return the state of the latest completed session's evening.

    Parameters
    ----------
    now : datetime
        Decides which session is the latest completed one.
    """
    try:
        expected = trading_calendar.latest_completed_session(now)
    except trading_calendar.CalendarError as error:
        return EveningStatus(None, [Sentence("bad", str(error))], [])
    runs = newest_runs(expected, JOBS)
    starts = dict(Schedule.objects.filter(name__in=JOBS).values_list("name", "next_run"))
    jobs = [JobState(name, job_title(name), runs.get(name), starts.get(name)) for name in JOBS]
    by_name = {job.name: job for job in jobs}
    sentences = [_data(expected, by_name), *_checks(expected), _model(), _picks(expected, by_name)]
    return EveningStatus(expected, sentences, jobs)


def _data(expected: date, jobs: Mapping[str, JobState]) -> Sentence:
    latest = latest_listed_session()
    if latest is None:
        begin = "Run ./run.sh manage run_all, or wait for the evening."
        return Sentence("wait", f"Nothing has been collected yet. {begin} {jobs['pipeline'].words}")
    if latest < expected:
        tone = "bad" if _has_failed(jobs["pipeline"]) else "wait"
        text = f"The data of {day_text(expected)} is not in yet; the latest is of {day_text(latest)}."
        return Sentence(tone, f"{text} {jobs['pipeline'].words}")
    file = SourceFile.objects.filter(session=latest).first()
    rows = f": {file.rows:,} shares and funds, {file.rejected:,} rows kept aside" if file else ""
    return Sentence("good", f"The data of {day_text(latest)} is in{rows}.")


def _checks(expected: date) -> list[Sentence]:
    """Say what the checks of the session found; nothing before they ran."""
    found = Finding.objects.filter(session=expected).values_list("severity").annotate(Count("pk")).order_by()
    counts = dict(found)
    if not counts:
        return []
    whole_day = Finding.objects.filter(session=expected, blocks=True, symbol="").first()
    if whole_day:
        return [Sentence("bad", f"The checks stop the picks of this session: {whole_day.message}")]
    kept_out = Finding.objects.filter(session=expected, blocks=True).exclude(symbol="").count()
    words = f"The checks found {counts.get('error', 0)} errors and {counts.get('warning', 0)} warnings"
    return [
        Sentence("wait" if counts.get("error") else "good", f"{words}; {kept_out} shares are kept out of the picks.")
    ]


def _model() -> Sentence:
    accepted = TrainedModel.objects.filter(status=TrainedModel.Status.ACCEPTED).order_by("-session").first()
    if accepted is None:
        return Sentence("wait", "No model has been accepted yet; without one no picks are published.")
    return Sentence("good", f"The model in use learnt from sessions up to {day_text(accepted.train_until)}.")


def _picks(expected: date, jobs: Mapping[str, JobState]) -> Sentence:
    newest = newest_publications()
    ours = [one for one in newest.values() if one.date >= expected]
    if ours:
        counts = ", ".join(f"{one.strategy} {one.count}" for one in sorted(ours, key=lambda one: one.strategy))
        valid = f", for {day_text(ours[0].valid_for)}" if ours[0].valid_for else ""
        if any(one.count for one in ours):
            return Sentence("good", f"The picks of {day_text(ours[0].date)} are published{valid}: {counts}.")
        return Sentence("bad", f"No picks are published{valid}. {ours[0].reason}".strip())
    selection = jobs["selection"]
    tone = "bad" if _has_failed(selection) else "wait"
    missing = (
        "not published yet" if newest else f"not published yet (no list of any of the {len(STRATEGIES)} strategies is)"
    )
    return Sentence(tone, f"The picks of {day_text(expected)} are {missing}. {selection.words}")


def _has_failed(job: JobState) -> bool:
    return job.run is not None and job.run.status == PipelineRun.Status.FAILED
