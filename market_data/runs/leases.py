"""The thread that renews a lease and flushes progress, over a database connection of its own."""

import logging
import threading
from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import Error, connection
from django.db.models.functions import Now

from market_data.models import PipelineStep
from market_data.runs.attempts import record_sign_of_life

_MAX_INTERVAL_SECONDS = 1.0
_RENEWALS_PER_LEASE = 6
_KEPT_LINES = 200

logger = logging.getLogger(__name__)


def database_time() -> datetime:
    """Return the time by the database's clock, with which leases and pauses are compared on every host."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment


def longest_lease() -> timedelta:
    """Return how far ahead a lease may end; one that ends later was given before the clock was set back."""
    # Another host may be configured to give longer ones than this.
    return timedelta(minutes=10, seconds=settings.STEP_LEASE_SECONDS)


def has_lease(step: PipelineStep, now: datetime) -> bool:
    """Whether a lease of the step is in force at `now`, a time by the database's clock."""
    return step.lease_until is not None and now <= step.lease_until <= now + longest_lease()


class Keeper:
    """Renews a lease once a second until the context exits, over a connection of its own; more often for a short lease.

    `progress` (0-1) is what the work reports, `lost` tells that the lease has another owner by now, or is cancelled.
    """

    def __init__(self, name: str, lease_seconds: int) -> None:
        self.progress = 0.0
        self.lost = False
        self._interval_seconds = self.interval_seconds(lease_seconds)
        self._exited = threading.Event()
        self._thread = threading.Thread(target=self._renew_until_exit, name=f"lease-{name}", daemon=True)

    @staticmethod
    def interval_seconds(lease_seconds: int) -> float:
        """Return the time between two renewals."""
        return min(_MAX_INTERVAL_SECONDS, lease_seconds / _RENEWALS_PER_LEASE)

    def is_lost(self) -> bool:
        """Renew the lease; whether it is lost."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._exited.set()
        self._thread.join()

    def _renew_until_exit(self) -> None:
        try:
            while not self._exited.wait(self._interval_seconds):
                self._renew()
        finally:
            connection.close()

    def _renew(self) -> None:
        try:
            self.lost = self.is_lost()
        except Error:
            # Unreachable for the moment: the lease expires unless a later renewal succeeds.
            logger.warning("lease not renewed", extra={"lease": self._thread.name})
            connection.close()


class LeaseKeeper(Keeper):
    """Renews a step's lease, and flushes its progress with it.

    A row with another fence is left alone; `lost` tells that it has one by now: another worker has claimed it, or the
    run was cancelled. `lines` are the log lines already on the row, of earlier attempts.
    """

    def __init__(self, step_id: int, fence: int, lease_seconds: int, lines: list[str]) -> None:
        super().__init__(str(step_id), lease_seconds)
        self.lines, self._earlier_lines = lines, len(lines)
        self._step_id, self._fence, self._lease_seconds = step_id, fence, lease_seconds

    def take_lines(self) -> list[str]:
        """Return the lines to store on the step's row: the last ones of all its attempts."""
        return self.lines[-_KEPT_LINES:]

    def attempt_lines(self) -> list[str]:
        """Return the last lines of this attempt."""
        return self.lines[self._earlier_lines :][-_KEPT_LINES:]

    def is_lost(self) -> bool:
        row = PipelineStep.objects.filter(pk=self._step_id)
        renewed = row.filter(fence=self._fence, status=PipelineStep.Status.RUNNING).update(
            lease_until=Now() + timedelta(seconds=self._lease_seconds),
            progress=self.progress,
            log_lines=self.take_lines(),
        )
        if renewed:
            record_sign_of_life(self._step_id, self._fence, self.attempt_lines())
        # Not lost is a step that this worker has just completed: it is no longer running but keeps its fence.
        return not renewed and row.exclude(fence=self._fence).exists()
