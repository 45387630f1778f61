"""The last thirty nights as bars: how long the work took, how many rows it brought, what failed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Final

from django.db.models import Sum

from market_data.models import PipelineRun, PipelineStep
from tradingsite.operations.evening import EVENING_JOBS, History, PastRun
from tradingsite.operations.tonight import duration

SHOWN: Final = 30
HEIGHT: Final = 56
_STEP, _WIDTH = 10, 7
_NAMES: Final = frozenset(job.name for job in EVENING_JOBS)


@dataclass(frozen=True)
class Bar:
    """One night's bar, in the units of its drawing; `told` is its value in words."""

    x: int
    y: float
    height: float
    told: str
    is_bad: bool


@dataclass(frozen=True)
class Chart:
    """A row of bars with its largest and its latest value."""

    title: str
    bars: list[Bar]
    most: str
    latest: str
    width: int = SHOWN * _STEP
    height: int = HEIGHT
    bar_width: int = _WIDTH

    @property
    def told(self) -> str:
        """Return the chart in words, for those who do not see it."""
        return f"{self.title} of the last {len(self.bars)} nights: latest {self.latest}, most {self.most}"


@dataclass(frozen=True)
class Night:
    """What the jobs of a session's evening came to."""

    session: date
    seconds: float
    rows: int
    failures: int


def nights(history: History) -> list[Night]:
    """Return the last nights, oldest first; replays are no nights."""
    by_session: dict[date, list[PastRun]] = {}
    for run in history.runs:
        if run.session is not None and run.job in _NAMES and not run.is_replay and run.started_at is not None:
            by_session.setdefault(run.session, []).append(run)
    shown = sorted(by_session)[-SHOWN:]
    rows = _rows([run.id for session in shown for run in by_session[session]])
    return [
        Night(
            session=session,
            seconds=sum(run.seconds or 0.0 for run in by_session[session]),
            rows=sum(rows.get(run.id, 0) for run in by_session[session]),
            failures=sum(run.status == PipelineRun.Status.FAILED for run in by_session[session]),
        )
        for session in shown
    ]


def _rows(run_ids: list[str]) -> dict[str, int]:
    steps = PipelineStep.objects.filter(run_id__in=run_ids).order_by()
    return dict(steps.values_list("run_id").annotate(rows=Sum("records_processed")))


def charts(found: list[Night]) -> list[Chart]:
    """Return the three rows of bars; none without a night."""
    if not found:
        return []
    return [
        _chart("Time at work", found, [one.seconds for one in found], duration),
        _chart("Rows", found, [float(one.rows) for one in found], lambda value: f"{value:,.0f}"),
        _chart("Failed runs", found, [float(one.failures) for one in found], lambda value: f"{value:.0f}"),
    ]


def _chart(title: str, found: list[Night], values: list[float], words: Callable[[float], str]) -> Chart:
    most = max(values)
    bars = []
    for place, (night, value) in enumerate(zip(found, values, strict=True)):
        height = round(max(value / most * HEIGHT, 1.5), 2) if most and value else 0.0
        failed = f", {night.failures} failed" if night.failures else ""
        told = f"{night.session:%a %d %b %Y}: {words(value)}{failed}"
        bars.append(Bar(place * _STEP, round(HEIGHT - height, 2), height, told, bool(night.failures)))
    return Chart(title, bars, words(most), words(values[-1]))
