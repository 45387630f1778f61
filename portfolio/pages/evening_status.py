"""The evening in plain sentences, for the status page: data, checks, model, picks and jobs."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django_q.models import Schedule

from market_data import quality, trading_calendar
from market_data.models import PipelineRun, SourceFile
from market_data.runs.queries import RunState, Standing, standings
from market_data.runs.saga import job_title
from ml.evening_facts import exclusions_by_check, finding_counts, lists_in_force
from ml.sagas import MODEL_AGE_LIMIT_SESSIONS, model_in_force
from portfolio.pages.date_text import day_text, time_text
from stocks.picks.queries import latest_listed_session

JOBS: Final = ("pipeline", "fill_data", "business_logic", "validation", "training", "selection")
"""The jobs between the close and the picks, in their order."""


@dataclass(frozen=True)
class Sentence:
    """One fact of the evening; `tone` is good, wait or bad."""

    tone: str
    text: str


@dataclass(frozen=True)
class JobState:
    """One job of the evening: its newest run for the session (None before it is planned) and its next start."""

    name: str
    title: str
    run: RunState | None
    next_start: datetime | None
    rerun: RunState | None = None

    @property
    def sentence(self) -> str:
        if self.run is None:
            return f"Starts {time_text(self.next_start)}." if self.next_start else "No run is planned yet."
        if self.run.status == PipelineRun.Status.WAITING:
            names = " and ".join(self.run.waits_for)
            return f"Waits for {names}." if names else "Held until the evening is released."
        if self.run.status == PipelineRun.Status.RUNNING:
            step = f": {self.run.current.title.lower()}" if self.run.current else ""
            return f"Running{step}, {self.run.progress:.0%} done."
        ended = f" {time_text(self.run.ended_at)}" if self.run.ended_at else ""
        reason = f": {self.run.reason}" if self.run.reason else ""
        text = f"{self.run.status.replace('_', ' ').capitalize()}{ended}{reason}".rstrip(".") + "."
        if self.rerun is None:
            return text
        return f"{text} A repetition at {time_text(self.rerun.ended_at)} did not succeed; this result stands."


@dataclass(frozen=True)
class EveningStatus:
    """Content of the status page; `expected` is the latest completed session, None beyond the calendar."""

    expected: date | None
    sentences: list[Sentence]
    jobs: list[JobState]


def evening_status(now: datetime) -> EveningStatus:
    """Status of the evening after the latest session completed by `now`."""
    try:
        expected = trading_calendar.latest_completed_session(now)
    except trading_calendar.CalendarError as error:
        return EveningStatus(None, [Sentence("bad", str(error))], [])
    runs = standings(expected, JOBS)
    starts = dict(Schedule.objects.filter(name__in=JOBS).values_list("name", "next_run"))
    jobs = [_job_state(name, runs.get(name), starts.get(name)) for name in JOBS]
    by_name = {job.name: job for job in jobs}
    sentences = [
        _data_sentence(expected, by_name["pipeline"]),
        *_check_sentences(expected),
        _model_sentence(expected),
        _picks_sentence(expected, by_name["selection"]),
    ]
    return EveningStatus(expected, sentences, jobs)


def _job_state(name: str, standing: Standing[RunState] | None, next_start: datetime | None) -> JobState:
    if standing is None:
        return JobState(name, job_title(name), None, next_start)
    return JobState(name, job_title(name), standing.run, next_start, standing.rerun)


def _data_sentence(expected: date, pipeline: JobState) -> Sentence:
    latest = latest_listed_session()
    if latest is None:
        start = "Run ./run.sh manage run_all, or wait for the evening."
        return Sentence("wait", f"Nothing has been collected yet. {start} {pipeline.sentence}")
    if latest < expected:
        text = f"The data of {day_text(expected)} is not in yet; the latest is of {day_text(latest)}."
        return Sentence(_pending_tone(pipeline), f"{text} {pipeline.sentence}")
    file = SourceFile.objects.filter(session=latest).first()
    rows = f": {file.rows:,} shares and funds, {file.rejected:,} rows rejected" if file else ""
    return Sentence("good", f"The data of {day_text(latest)} is in{rows}.")


def _check_sentences(expected: date) -> list[Sentence]:
    counts = finding_counts(expected)
    if not counts:
        return []
    if refusal := quality.day_refusal(expected):
        return [Sentence("bad", f"{refusal} No picks are published from them.")]
    excluded = sum(exclusions_by_check(expected).values())
    text = f"The checks found {counts.get('error', 0)} errors and {counts.get('warning', 0)} warnings"
    return [
        Sentence("wait" if counts.get("error") else "good", f"{text}; {excluded} shares are excluded from the picks.")
    ]


def _model_sentence(expected: date) -> Sentence:
    model = model_in_force(expected)
    if model is None:
        missing = f"No accepted model is at most {MODEL_AGE_LIMIT_SESSIONS} sessions old"
        return Sentence("wait", f"{missing}; without one no picks are published.")
    return Sentence("good", f"The model in use was trained on sessions up to {day_text(model.train_until)}.")


def _picks_sentence(expected: date, selection: JobState) -> Sentence:
    lists = list(lists_in_force(expected))
    if not lists:
        text = f"The picks of {day_text(expected)} are not published yet."
        return Sentence(_pending_tone(selection), f"{text} {selection.sentence}")
    valid = f", for {day_text(lists[0].valid_for)}" if lists[0].valid_for else ""
    if not any(publication.count for publication in lists):
        return Sentence("bad", f"No picks are published{valid}. {lists[0].reason}".strip())
    counts = ", ".join(f"{publication.strategy} {publication.count}" for publication in lists)
    return Sentence("good", f"The picks of {day_text(expected)} are published{valid}: {counts}.")


def _pending_tone(job: JobState) -> str:
    return "bad" if job.run is not None and job.run.status == PipelineRun.Status.FAILED else "wait"
