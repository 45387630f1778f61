"""The evening for readers of the picks: its state, its stages and its facts in plain sentences.

No run, no stored reason and nobody's name appears here: those are the console's.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

from django.conf import settings
from django.utils import timezone

from market_data import quality, trading_calendar
from market_data.evenings.current_evening import Evening, evening_of
from market_data.evenings.outlook import picks_forecast
from market_data.evenings.recent_runs import RunHistory
from market_data.models import MarketDay, PipelineRun, SourceFile
from market_data.prices.jumps import JUMP_CHECK
from market_data.runs import holds
from market_data.runs.prerequisites import chain_to, parse_all
from market_data.runs.queries import RunState, Standing, standings
from market_data.runs.saga import saga_of
from ml.champions import queries as champions
from ml.champions.queries import model_in_force
from ml.evening_facts import finding_counts, kept_out
from stocks.models import Publication
from stocks.picks.public_state import PicksState, Stage, State, day_words, picks_state, time_words
from stocks.picks.queries import latest_listed_session, published_facts
from stocks.units import count_text

LAST_JOB: Final = "selection"
_GRACE: Final = timedelta(minutes=5)
_Status = PipelineRun.Status
_ENDED: Final = (_Status.COMPLETED, _Status.FAILED, _Status.CANCELLED)
_TONES: Final = {State.READY: "good", State.MAKING: "wait", State.NONE: "bad"}


@dataclass(frozen=True)
class Sentence:
    """One fact of the evening; `tone` is good, wait or bad; `kept_out` of a session links to the list it counts."""

    tone: str
    text: str
    kept_out: date | None = None


@dataclass(frozen=True)
class StageLine:
    """One part of the work on the picks: `status` is a run's, or ``planned``; `progress` is 0-1."""

    title: str
    status: str
    words: str
    progress: float


@dataclass(frozen=True)
class EveningState:
    """State of the picks with the stages of the work; none where no session is known.

    `is_published`: the session has its lists, though they may be empty.
    """

    picks: PicksState
    stages: list[StageLine]
    is_published: bool = False

    @property
    def is_active(self) -> bool:
        """Whether something is being worked on now."""
        return any(stage.status == _Status.RUNNING for stage in self.stages)


def due_session(now: datetime) -> date | None:
    """The latest session that has ended, by the calendar or because its bars are there; None where none is known."""
    ended = None
    if MarketDay.objects.exists():
        with suppress(trading_calendar.CalendarError):
            ended = trading_calendar.latest_completed_session(now)
    return max((day for day in (ended, latest_listed_session()) if day), default=None)


def evening_state(now: datetime, publications: dict[str, Publication]) -> EveningState:
    """State of the picks at a moment, given the newest publications of the strategies."""
    session = due_session(now)
    published = published_facts(publications.values())
    if session is None:
        return EveningState(picks_state(None, published, Stage.UNKNOWN), [])
    runs, evening = standings(session, chain_to(LAST_JOB)), evening_of(session)
    shown = [job for job in chain_to(LAST_JOB) if saga_of(job).public_title]
    stages = [_stage_line(job, runs.get(job), evening, now) for job in shown]
    if published and published.session >= session:
        is_doubtful = bool(published.picks and quality.day_refusal(published.session))
        facts = replace(published, is_doubtful=is_doubtful)
        return EveningState(picks_state(session, facts, Stage.UNKNOWN), stages, is_published=True)
    stage = _stage(session, runs, evening, now)
    expected_at = None
    if stage in (Stage.RUNNING, Stage.COMING):
        expected_at = picks_forecast(evening, RunHistory(), now, LAST_JOB).ready_at
    local = timezone.localtime(expected_at) if expected_at else None
    return EveningState(picks_state(session, published, stage, local), stages)


def _stage(session: date, runs: dict[str, Standing[RunState]], evening: Evening, now: datetime) -> Stage:
    statuses = {job: standing.run.status for job, standing in runs.items()}
    if _Status.RUNNING in statuses.values():
        return Stage.RUNNING
    if holds.hold_of(session):
        return Stage.HELD
    if _is_stopped(session, statuses):
        return Stage.STOPPED
    following = next((job for job in chain_to(LAST_JOB) if statuses.get(job) not in _ENDED), LAST_JOB)
    if now > evening.planned(saga_of(following)) + _GRACE and statuses.get(following) != _Status.WAITING:
        return Stage.LATE
    return Stage.RUNNING if statuses else Stage.COMING


def _is_stopped(session: date, statuses: dict[str, str]) -> bool:
    """Whether a job failed or was cancelled, and one that waits for it has no alternative."""
    ended_badly = {job for job, status in statuses.items() if status in (_Status.FAILED, _Status.CANCELLED)}
    if LAST_JOB in ended_badly:
        return True
    wanted = [prerequisite for job in chain_to(LAST_JOB) for prerequisite in parse_all(saga_of(job).waits_for)]
    return any(ended_badly.issuperset(one.jobs) and not one.is_met(session) for one in wanted)


def _stage_line(job: str, standing: Standing[RunState] | None, evening: Evening, now: datetime) -> StageLine:
    title = saga_of(job).public_title
    if standing is None:
        planned = timezone.localtime(evening.planned(saga_of(job)))
        return StageLine(title, "planned", f"Planned for {time_words(planned)}." if planned > now else "To come.", 0.0)
    run = standing.run
    ended = f" at {time_words(timezone.localtime(run.ended_at))}" if run.ended_at else ""
    words = {
        _Status.WAITING: "Waits for its turn.",
        _Status.RUNNING: f"Under way, {run.progress:.0%} done.",
        _Status.COMPLETED: f"Done{ended}.",
        _Status.FAILED: f"Stopped{ended}; it has to be continued by hand.",
        _Status.CANCELLED: f"Stopped{ended}; it has to be continued by hand.",
        _Status.SKIPPED: "Left out.",
        _Status.ROLLED_BACK: "Taken back.",
    }[_Status(run.status)]
    if standing.rerun:
        words += " A later repetition did not succeed; this result stands."
    return StageLine(title, run.status, words, run.progress)


def evening_sentences(now: datetime, state: EveningState) -> list[Sentence]:
    """The facts of the evening after the latest session that has ended."""
    session = due_session(now)
    picks = Sentence(_TONES[state.picks.state], state.picks.sentence)
    if session is None:
        return [picks, Sentence("wait", "Nothing has been collected yet.")]
    try:
        return [picks, _data_sentence(session), *_check_sentences(session), *_model_sentences(session)]
    except trading_calendar.CalendarError:
        return [
            picks,
            Sentence("bad", f"The trading calendar ends before {day_words(session)}: it has to be extended."),
        ]


def _data_sentence(session: date) -> Sentence:
    latest = latest_listed_session()
    if latest is None:
        return Sentence("wait", "Nothing has been collected yet.")
    if latest < session:
        text = f"The data of {day_words(session)} are not in yet; the latest are of {day_words(latest)}."
        return Sentence("wait", text)
    file = SourceFile.objects.filter(session=latest).first()
    rejected = f"{count_text(file.rejected)} row{'' if file.rejected == 1 else 's'} rejected" if file else ""
    rows = f": {count_text(file.rows)} shares and funds, {rejected}" if file else ""
    return Sentence("good", f"The data of {day_words(latest)} are in{rows}.")


def _check_sentences(session: date) -> list[Sentence]:
    if quality.day_refusal(session):
        text = f"The data of {day_words(session)} did not pass the checks: no picks are published from them."
        return [Sentence("bad", text)]
    excluded = len(kept_out(session))
    shares = f"{excluded} share{' is' if excluded == 1 else 's are'} kept out of the picks"
    counts = finding_counts(session)
    if not counts:
        return [Sentence("good", f"{shares}.", session)] if excluded else []
    errors, warnings = counts.get("error", 0), counts.get("warning", 0)
    counted = f"{errors} error{'' if errors == 1 else 's'} and {warnings} warning{'' if warnings == 1 else 's'}"
    return [Sentence("wait" if errors else "good", f"The checks found {counted}; {shares}.", session)]


def _model_sentences(session: date) -> list[Sentence]:
    model, champion = model_in_force(session), champions.champion(session)
    if model is None or champion is None:
        missing = f"No accepted model is at most {settings.ABSTAIN_MODEL_AGE_SESSIONS} sessions old"
        return [Sentence("wait", f"{missing}; without one no picks are published.")]
    trained, since = day_words(model.train_until), day_words(champion.session)
    in_use = f"The model in use was trained on sessions up to {trained}; its recipe has picked since {since}."
    challenger = champions.challenger(session)
    decision = challenger.decision if challenger else None
    if decision is None or not decision.compared_sessions:
        return [Sentence("good", in_use)]
    compared = f"Another recipe was compared with it and with plain rankings on {day_words(decision.session)}"
    not_used = f"{compared}; it is not used, because one of them earned more after costs."
    return [Sentence("good", in_use), Sentence("good", not_used)]


_CHECKS_IN_WORDS: Final = {JUMP_CHECK: "The price opened far from its previous level, and no known event explains it"}


@dataclass(frozen=True)
class PublicExclusion:
    """A share kept out of the picks, in words for readers."""

    symbol: str
    since: date
    until: date | None
    why: str


def public_exclusions(session: date) -> list[PublicExclusion]:
    """What `kept_out` holds, without the findings' own texts."""
    return [
        PublicExclusion(entry.symbol, entry.since, entry.until, _check_in_words(entry.check))
        for entry in kept_out(session)
    ]


def _check_in_words(check: str) -> str:
    return _CHECKS_IN_WORDS.get(check) or f"A figure of the share failed a check ({check.replace('_', ' ')})"
