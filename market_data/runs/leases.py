"""A thread that keeps a step's lease alive and shows its progress, over a database connection of its own."""

import logging
import threading
from datetime import timedelta
from types import TracebackType
from typing import Self

from django.db import Error, connection
from django.utils import timezone

from market_data.models import PipelineStep

_LONGEST_BEAT_SECONDS = 1.0
_BEATS_A_LEASE = 6
_KEPT_LINES = 200

logger = logging.getLogger(__name__)


class LeaseKeeper:
    """Renews a lease, and writes progress and log lines, each second (a short lease: oftener) until it is left.

    Parameters
    ----------
    step_id, fence : int
        The row and the claim it may speak for; a row with another fence is not touched.
    lease_seconds : int
        How long the lease holds after the last beat.
    lines : list of str
        Log lines already on the row.

    Attributes
    ----------
    lost : bool
        Whether the row has another fence by now: another worker claimed it, or the run was cancelled.
    """

    def __init__(self, step_id: int, fence: int, lease_seconds: int, lines: list[str]) -> None:
        self.progress = 0.0
        self.lost = False
        self.lines = lines
        self._step_id, self._fence, self._lease_seconds = step_id, fence, lease_seconds
        self._beat_seconds = min(_LONGEST_BEAT_SECONDS, lease_seconds / _BEATS_A_LEASE)
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease-{step_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()
        self._thread.join()

    def take_lines(self) -> list[str]:
        """Return the last lines, as they go on the row."""
        return self.lines[-_KEPT_LINES:]

    def _beat(self) -> None:
        try:
            while not self._left.wait(self._beat_seconds):
                self._renew()
        finally:
            connection.close()

    def _renew(self) -> None:
        try:
            row = PipelineStep.objects.filter(pk=self._step_id)
            renewed = row.filter(fence=self._fence, status=PipelineStep.Status.RUNNING).update(
                lease_until=timezone.now() + timedelta(seconds=self._lease_seconds),
                progress=self.progress,
                log_lines=self.take_lines(),
            )
            # A step that this worker has completed keeps its fence; one that is not committed yet is not seen.
            self.lost = not renewed and row.exclude(fence=self._fence).exists()
        except Error:
            # Out of reach for the moment: the lease runs out unless a later beat gets through.
            logger.warning("lease not renewed", extra={"step_id": self._step_id})
            connection.close()
