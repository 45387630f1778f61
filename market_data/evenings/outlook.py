"""The forecast of an evening from its runs, its planned times and how long its jobs usually take."""

from datetime import date, datetime

from market_data.evenings.current_evening import Evening
from market_data.evenings.forecast import Forecast, PlannedJob, forecast
from market_data.evenings.recent_runs import RunHistory
from market_data.models import PipelineRun
from market_data.runs.prerequisites import chain_to, parse_all
from market_data.runs.saga import saga_of

_Status = PipelineRun.Status


def picks_forecast(evening: Evening, history: RunHistory, now: datetime, last: str) -> Forecast:
    """Forecast the end of an evening's job `last` and of the jobs that it waits for."""
    planned = {}
    for job in chain_to(last):
        run = history.of_session(job, evening.session)
        # A run that was started by hand, alone or in a chain, waits for no planned time.
        is_by_hand = run is not None and run.status in PipelineRun.ACTIVE and run.intended_at is None
        planned[job] = PlannedJob(
            after=_after(job, evening.session),
            planned=now if is_by_hand else evening.planned(saga_of(job)),
            usual_seconds=history.usual_seconds(job),
            started_at=run.started_at if run and run.status == _Status.RUNNING else None,
            ended_at=run.ended_at if run and run.status == _Status.COMPLETED else None,
        )
    return forecast(planned, last, now, evening.due)


def _after(job: str, session: date) -> tuple[str, ...]:
    """The jobs that it waits for; one whose alternative condition is already met does not count."""
    unmet = [wanted for wanted in parse_all(saga_of(job).waits_for) if not wanted.is_met(session, completed=())]
    return tuple(name for prerequisite in unmet for name in prerequisite.jobs)
