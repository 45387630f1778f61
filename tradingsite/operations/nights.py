"""Bar charts of the last thirty nights: working time, rows written, failed runs."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Final

from django.db.models import Sum

from market_data.evenings.recent_runs import PastRun, RunHistory
from market_data.models import PipelineRun, PipelineStep
from stocks.units import count_text
from tradingsite.operations.tonight import duration
from tradingsite.schedule import evening_jobs

SHOWN: Final = 30
HEIGHT: Final = 56
_STEP, _WIDTH = 10, 7


@dataclass(frozen=True)
class Bar:
    """One night's bar, in units of the SVG; `label` is its value as text."""

    x: int
    y: float
    height: float
    label: str
    is_bad: bool


@dataclass(frozen=True)
class Chart:
    """A row of bars with its largest and its latest value and its first and last night as text."""

    title: str
    bars: list[Bar]
    most: str
    latest: str
    dates: str
    width: int = SHOWN * _STEP
    height: int = HEIGHT
    bar_width: int = _WIDTH

    @property
    def description(self) -> str:
        """Text alternative for screen readers."""
        return (
            f"{self.title} of the last {len(self.bars)} nights, {self.dates}: latest {self.latest}, maximum {self.most}"
        )


@dataclass(frozen=True)
class Night:
    """Totals of a session's evening."""

    session: date
    seconds: float
    rows: int
    failures: int


def nights(history: RunHistory) -> list[Night]:
    """The last nights, oldest first; replays do not count."""
    by_session: dict[date, list[PastRun]] = {}
    jobs = {saga.job for saga in evening_jobs()}
    for run in history.runs:
        if run.session is not None and run.job in jobs and not run.is_replay and run.started_at is not None:
            by_session.setdefault(run.session, []).append(run)
    sessions = sorted(by_session)[-SHOWN:]
    steps = PipelineStep.objects.filter(run_id__in=[run.id for session in sessions for run in by_session[session]])
    rows = dict(steps.order_by().values_list("run_id").annotate(rows=Sum("records_processed")))
    return [
        Night(
            session=session,
            seconds=sum(run.seconds or 0.0 for run in by_session[session]),
            rows=sum(rows.get(run.id, 0) for run in by_session[session]),
            failures=sum(run.status == PipelineRun.Status.FAILED for run in by_session[session]),
        )
        for session in sessions
    ]


def charts(shown: list[Night]) -> list[Chart]:
    """The three charts; none before the first night."""
    if not shown:
        return []
    return [
        _chart("Working time", shown, [night.seconds for night in shown], duration),
        _chart("Rows", shown, [float(night.rows) for night in shown], count_text),
        _chart("Failed runs", shown, [float(night.failures) for night in shown], lambda value: f"{value:.0f}"),
    ]


def _chart(title: str, shown: list[Night], values: list[float], text: Callable[[float], str]) -> Chart:
    most = max(values)
    bars = []
    for place, (night, value) in enumerate(zip(shown, values, strict=True)):
        height = round(max(value / most * HEIGHT, 1.5), 2) if most and value else 0.0
        failed = f", {night.failures} failed" if night.failures else ""
        label = f"{night.session:%a %d %b %Y}: {text(value)}{failed}"
        bars.append(Bar(place * _STEP, round(HEIGHT - height, 2), height, label, bool(night.failures)))
    first, last = (f"{night.session.day} {night.session:%b}" for night in (shown[0], shown[-1]))
    dates = last if first == last else f"{first} – {last}"
    return Chart(title, bars, text(most), text(values[-1]), dates)
