"""The kill switch: while it is on, no order is sent, and what is open is to be cancelled; nothing is sold by it.

It is on when the newest row of `kill_switch` says so, or when the file `KILL_SWITCH_FILE` is there, whatever is in it:
each stops alone, without queue and log-in page. What cannot be read counts as on.
"""

import stat
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.utils import timezone

from portfolio.models import KillSwitch

MOST_OF_REASON: Final = 300


class NotSwitched(Exception):
    """The switch stays as it is; the sentence says what to do."""


@dataclass(frozen=True)
class SwitchState:
    """The newest switching, if there was any, and what the file says: empty when it is not there."""

    newest: KillSwitch | None
    file: str

    @property
    def is_on(self) -> bool:
        return bool(self.stopped_by)

    @property
    def stopped_by(self) -> str:
        """Who or what keeps orders from being sent, and why, for `Evidence.stopped_by`; empty when it is off."""
        newest = self.newest
        by_row = f"{newest.operator}: {newest.reason}" if newest is not None and newest.is_on else ""
        return "; ".join(filter(None, (by_row, self.file)))

    def as_json(self) -> dict[str, Any]:
        newest = self.newest
        return {
            "on": self.is_on,
            "stopped_by": self.stopped_by,
            "file": self.file,
            "operator": newest.operator if newest else "",
            "reason": newest.reason if newest else "",
            "at": _indian(newest.at) if newest else "",
        }


def kill_switch() -> SwitchState:
    """Return the switch as it is now. Whoever sends asks before each order, in the transaction that sends it."""
    return SwitchState(KillSwitch.objects.first(), _file_says(settings.KILL_SWITCH_FILE))


def switch(*, on: bool, operator: str, reason: str) -> KillSwitch:
    """Switch on or off and return the new row; every process sees it with its next reading.

    Raises
    ------
    NotSwitched
        Without a reason, or when a file would keep it on.
    """
    reason = reason.replace("\0", "").strip()
    if not reason:
        raise NotSwitched("It is switched with a reason, which is kept; say why.")
    if len(reason) > MOST_OF_REASON:
        raise NotSwitched(f"The reason has {len(reason)} characters; {MOST_OF_REASON} are kept: shorten it.")
    if not on and (file := _file_says(settings.KILL_SWITCH_FILE)):
        raise NotSwitched(f"Nothing was changed: {file}. Remove it first.")
    # The sender cancels what is open once it reads that the switch is on: a request of a page sends nothing itself.
    row = KillSwitch.objects.create(is_on=on, operator=operator[:150], reason=reason)
    row.refresh_from_db()
    return row


def _file_says(path: Path) -> str:
    try:
        entry = path.lstat()
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"the file {path} cannot be looked for ({error.strerror})"
    since = f", {_indian(datetime.fromtimestamp(entry.st_mtime, timezone.get_current_timezone()))}"
    return f"the {'file' if stat.S_ISREG(entry.st_mode) else 'entry'} {path} is there{since}"


def _indian(moment: datetime) -> str:
    return timezone.localtime(moment).isoformat(timespec="seconds")
