"""The process that watches over all senders: one process an account with work, started again when it ends too early."""

import logging
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Final

from django.conf import settings
from django.db import Error, connection

from portfolio.sending.service import accounts_with_work

NAME: Final = "order_sender"
"""Under which its heartbeats are kept."""

_LOOK_EVERY_SECONDS, _HEARTBEAT_EVERY_SECONDS = 1.0, 30.0
_LONGEST_BACK_OFF_SECONDS, _GRACE_SECONDS = 60.0, 10.0
_LONG_LIVED_SECONDS: Final = 60.0

logger = logging.getLogger(__name__)


class Dispatcher:
    """Starts and stops the senders of accounts; `beat` records a sign of life under a name."""

    def __init__(
        self, clock: Callable[[], datetime], wait: Callable[[float], bool], beat: Callable[[str], None]
    ) -> None:
        self._clock, self._wait, self._beat = clock, wait, beat
        self._senders: dict[int, tuple[subprocess.Popen[bytes], float]] = {}
        self._ends: dict[int, int] = {}
        self._not_before: dict[int, float] = {}
        self._heartbeat_at = 0.0

    def run(self) -> None:
        """Watch until it is told to stop; then stop the senders, each within seconds."""
        try:
            while not self._wait(_LOOK_EVERY_SECONDS):
                try:
                    self._look()
                except Error as error:
                    logger.warning("the database does not answer (%s); looking again", type(error).__name__)
                    connection.close()
        finally:
            self._stop()

    def _look(self) -> None:
        now = time.monotonic()
        self._reap(now)
        if now >= self._heartbeat_at:
            self._heartbeat_at = now + _HEARTBEAT_EVERY_SECONDS
            self._beat(NAME)
        for account in accounts_with_work(self._clock()):
            if account.pk not in self._senders and now >= self._not_before.get(account.pk, 0.0):
                self._senders[account.pk] = _started(account.pk), now

    def _reap(self, now: float) -> None:
        """Let who ended badly or at once wait before it is started again, longer each time."""
        for account, (sender, since) in list(self._senders.items()):
            code = sender.poll()
            if code is None:
                continue
            del self._senders[account]
            is_well = code == 0 or now - since > _LONG_LIVED_SECONDS
            self._ends[account] = 0 if is_well else self._ends.get(account, 0) + 1
            pause = min(_LONGEST_BACK_OFF_SECONDS, 2.0 ** min(self._ends[account], 10))
            self._not_before[account] = now + pause
            if code:
                logger.warning("the sender of account %s ended with code %s; again in %.0f s", account, code, pause)

    def _stop(self) -> None:
        for sender, _ in self._senders.values():
            with suppress(ProcessLookupError):
                sender.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_SECONDS
        for sender, _ in self._senders.values():
            try:
                sender.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                sender.kill()
                sender.wait()


def _started(account: int) -> subprocess.Popen[bytes]:
    manage = str(settings.BASE_DIR / "manage.py")
    command = (sys.executable, manage, "order_sender", f"--account={account}", "--watched")
    return subprocess.Popen(command, stdin=subprocess.DEVNULL)
