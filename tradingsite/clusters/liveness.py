"""Whether a queue cluster makes progress: one answer for console, alerts, readiness, supervisor and containers.

A cluster is stuck when its work has been due for `STUCK_AFTER`, it holds no step under a living lease, and neither a
heartbeat nor an attempt at a step has ended for as long. Due work is part of the rule because an idle cluster owes no
sign; the end of an attempt, whatever its outcome, counts because a long one keeps the only worker from its heartbeats
until it is over.

All this goes by the time of day, which may be set: an hour ahead, every sign is an hour old at once. Whoever kills what
is stuck also waits until the signs have stayed the same for as long on a clock that only counts (`SilenceWatch`).

Nothing here needs Django's applications, only a cursor: loading them would cost the containers' health check seconds of
a processor each minute.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tradingsite import settings

if TYPE_CHECKING:
    import psycopg
    from django.db.backends.utils import CursorWrapper

STUCK_AFTER: Final = timedelta(seconds=settings.CLUSTER_STUCK_SECONDS)

# The queue keeps a fetched task with a lock in the future until it is done. A frozen cluster goes on fetching until its
# own queue is full, so a task counts as due since it was fetched. Lost and cancelled attempts were ended by others.
_SIGNS: Final = """
    SELECT 'heartbeat', cluster, '', finished_at FROM heartbeats
    UNION ALL
    SELECT 'due', key, '', min(CASE WHEN lock > %(now)s THEN lock - make_interval(secs => %(retry)s) ELSE lock END)
    FROM django_q_ormq WHERE lock IS NOT NULL GROUP BY key
    UNION ALL
    SELECT 'due', cluster, '', min(next_run) FROM django_q_schedule
    WHERE repeats <> 0 AND next_run IS NOT NULL GROUP BY cluster
    UNION ALL
    SELECT 'lease', run.job, step.worker, step.lease_until
    FROM pipeline_execution_tracking step JOIN pipeline_runs run ON run.id = step.run_id
    WHERE step.status = 'running' AND step.lease_until > %(now)s
    UNION ALL
    SELECT 'attempt end', run.job, attempt.worker, attempt.ended_at
    FROM step_attempts attempt JOIN pipeline_execution_tracking step ON step.id = attempt.step_id
    JOIN pipeline_runs run ON run.id = step.run_id
    WHERE attempt.ended_at > %(now)s - interval '1 day' AND attempt.outcome NOT IN ('lost', 'cancelled')
    UNION ALL
    SELECT 'lease', 'backtest', worker, lease_until FROM backtests WHERE status = 'running' AND lease_until > %(now)s
    UNION ALL
    SELECT 'attempt end', 'backtest', worker, finished_at FROM backtests
    WHERE status IN ('completed', 'failed') AND finished_at > %(now)s - interval '1 day'"""


class StepSign(NamedTuple):
    """A step (or backtest) held under a living lease, or an attempt at one that its worker has ended."""

    job: str
    worker: str


@dataclass(frozen=True)
class Liveness:
    """The state of a cluster at a moment."""

    cluster: str
    now: datetime
    heartbeat_at: datetime | None = None
    attempt_ended_at: datetime | None = None  # the last one at a step, within a day
    is_at_work: bool = False  # it holds a step under a living lease
    due_since: datetime | None = None  # of its oldest undone task or schedule; None or in the future when nothing is
    watched_since: datetime | None = None  # from then silence counts if it never gave a sign of life

    @property
    def heartbeat_age_seconds(self) -> int | None:
        """Since its last heartbeat; None if there was none."""
        return None if self.heartbeat_at is None else max(0, round((self.now - self.heartbeat_at).total_seconds()))

    @property
    def signs(self) -> tuple[datetime | None, datetime | None, bool]:
        """What changes whenever it shows that it works."""
        return self.heartbeat_at, self.attempt_ended_at, self.is_at_work

    @property
    def silence(self) -> timedelta:
        """Time since it last showed that it works; `timedelta.max` if it never did."""
        if self.is_at_work:
            return timedelta(0)
        signs = [at for at in (self.heartbeat_at, self.attempt_ended_at) if at is not None]
        last = max(signs, default=self.watched_since)
        return timedelta.max if last is None else max(timedelta(0), self.now - last)

    @property
    def silence_words(self) -> str:
        """The silence as the end of a sentence."""
        if self.silence == timedelta.max:
            return "since it was started"
        return f"for {self.silence.total_seconds() / 60:.0f} minutes"

    @property
    def has_started(self) -> bool:
        return self.is_at_work or self.heartbeat_at is not None or self.attempt_ended_at is not None

    @property
    def is_stuck(self) -> bool:
        """Whether work waits for it in vain: restart it, and tell somebody."""
        is_due = self.due_since is not None and self.now - self.due_since >= STUCK_AFTER
        return is_due and self.silence > STUCK_AFTER

    @property
    def is_alive(self) -> bool:
        """Whether it can be relied on: it has been started, and is not stuck."""
        return self.has_started and not self.is_stuck


@dataclass
class SilenceWatch:
    """Measures how long a cluster's signs of life have stayed the same, on a clock that nobody sets.

    `since` is when they were first read as they are; both can be stored and given again.
    """

    signs: str = ""
    since: float = 0.0

    def is_silent(self, liveness: Liveness, now: float) -> bool:
        """Whether the signs have been the same for `STUCK_AFTER`; `now` is the monotonic clock's time."""
        if self.signs != (signs := repr(liveness.signs)) or now < self.since:
            self.signs, self.since = signs, now
        return now - self.since >= STUCK_AFTER.total_seconds()


def read_liveness(
    cursor: "psycopg.Cursor[Any] | CursorWrapper",
    clusters: Iterable[str],
    now: datetime,
    is_own: Callable[[str, StepSign], bool],
    watched_since: datetime | None = None,
) -> dict[str, Liveness]:
    """Read the liveness of clusters in one query; `is_own` tells whether a step shows that the named cluster works."""
    cursor.execute(_SIGNS, {"now": now, "retry": settings.Q_CLUSTER["retry"]})
    rows = cursor.fetchall()
    return {cluster: _liveness(cluster, rows, now, is_own, watched_since) for cluster in clusters}


def _liveness(
    cluster: str,
    rows: Iterable[tuple[str, str, str, datetime]],
    now: datetime,
    is_own: Callable[[str, StepSign], bool],
    watched_since: datetime | None,
) -> Liveness:
    moments: dict[str, list[datetime]] = {"heartbeat": [], "due": [], "lease": [], "attempt end": []}
    for kind, subject, worker, at in rows:
        of_cluster = kind in ("heartbeat", "due")
        is_ours = subject == cluster if of_cluster else is_own(cluster, StepSign(subject, worker))
        if is_ours:
            moments[kind].append(at)
    return Liveness(
        cluster,
        now,
        heartbeat_at=max(moments["heartbeat"], default=None),
        attempt_ended_at=max(moments["attempt end"], default=None),
        is_at_work=bool(moments["lease"]),
        due_since=min(moments["due"], default=None),
        watched_since=watched_since,
    )
