"""Points at which a drill kills the process that passes them; in use none is armed, and they cost nothing."""

import os
import signal
from typing import Final

POINTS: Final = ("before_intent", "after_intent", "bytes_left", "after_answer", "before_state")
"""Before the intent commits; after it; sent, and no answer read; answer read, and not recorded; recorded, and the
order's row not written."""
_armed: Final[dict[str, int]] = {}


def arm(point: str, passes: int = 1) -> None:
    """Kill this process when it passes a point for the so-manieth time; for drills alone."""
    if point not in POINTS or passes < 1:
        raise ValueError(f"There is no pass {passes} of {point!r}: use 1 or more, and one of {', '.join(POINTS)}.")
    _armed[point] = passes


def reach(point: str) -> None:
    """Pass a point."""
    if point not in _armed:
        return
    _armed[point] -= 1
    if not _armed[point]:
        os.kill(os.getpid(), signal.SIGKILL)
