"""Pending work: what a step leaves for the later steps of a run, and a run that broke for the next one.

It is kept in the run's options, so it commits together with the change that causes it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Self

from market_data.models import PipelineRun


@dataclass(frozen=True)
class PendingWork:
    """Sessions, symbols and dates that later steps must look at again.

    `loaded` sessions are stored for the first time. Openings from `judge_from` on must be checked (again) for corporate
    actions and jumps. `recompute` has the first date of a symbol's indicators to compute again, `events_changed` the
    first ex-date of its official events that are new or changed; the history of `renamed` symbols came from others.
    """

    loaded: frozenset[date] = frozenset()
    judge_from: date | None = None
    recompute: Mapping[str, date] = field(default_factory=dict)
    events_changed: Mapping[str, date] = field(default_factory=dict)
    renamed: frozenset[str] = frozenset()

    def merge(self, other: Self) -> Self:
        """Return the work of both: sets united, of two dates the earlier one."""
        return type(self)(
            loaded=self.loaded | other.loaded,
            judge_from=min(filter(None, (self.judge_from, other.judge_from)), default=None),
            recompute=_earliest(self.recompute, other.recompute),
            events_changed=_earliest(self.events_changed, other.events_changed),
            renamed=self.renamed | other.renamed,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the keys of `PipelineRun.options` under which the work is stored; dates as ISO strings."""
        return {
            "loaded": sorted(session.isoformat() for session in self.loaded),
            "judge_from": self.judge_from.isoformat() if self.judge_from else None,
            "recompute": {symbol: first.isoformat() for symbol, first in self.recompute.items()},
            "events_changed": {symbol: first.isoformat() for symbol, first in self.events_changed.items()},
            "renamed": sorted(self.renamed),
        }

    @classmethod
    def from_json(cls, options: Mapping[str, Any]) -> Self:
        """Return the work in a run's options; keys that are absent mean none, other keys are ignored."""
        start = options.get("judge_from")
        return cls(
            loaded=frozenset(map(date.fromisoformat, options.get("loaded", ()))),
            judge_from=date.fromisoformat(start) if start else None,
            recompute=_dates(options.get("recompute", {})),
            events_changed=_dates(options.get("events_changed", {})),
            renamed=frozenset(options.get("renamed", ())),
        )


def pending_work(run: PipelineRun) -> PendingWork:
    """Return what a run's steps have left to do so far."""
    return PendingWork.from_json(run.options)


def add_pending_work(run: PipelineRun, *additions: PendingWork) -> None:
    """Merge work into a run's options; the engine stores them with the chunk that is being recorded."""
    work = pending_work(run)
    for addition in additions:
        work = work.merge(addition)
    run.options = run.options | work.to_json()


def take_over_pending_work(run: PipelineRun) -> None:
    """Add what earlier runs left: pipelines that broke, and symbol masters read since the last complete pipeline."""
    earlier = PipelineRun.objects.filter(sequence__lt=run.sequence, is_replay=False)
    complete = earlier.filter(job="pipeline", status=PipelineRun.Status.COMPLETED).order_by("-sequence").first()
    since = earlier.filter(job__in=("pipeline", "symbol_master"), sequence__gt=complete.sequence if complete else 0)
    unfinished = since.exclude(status=PipelineRun.Status.ROLLED_BACK)
    add_pending_work(run, *(pending_work(other) for other in unfinished))


def earliest_dates(dated_symbols: Iterable[tuple[str, date]]) -> dict[str, date]:
    earliest: dict[str, date] = {}
    for symbol, day in dated_symbols:
        earliest[symbol] = min(earliest.get(symbol, day), day)
    return earliest


def _earliest(first: Mapping[str, date], second: Mapping[str, date]) -> dict[str, date]:
    return earliest_dates([*first.items(), *second.items()])


def _dates(texts: Mapping[str, str]) -> dict[str, date]:
    return {symbol: date.fromisoformat(text) for symbol, text in texts.items()}
