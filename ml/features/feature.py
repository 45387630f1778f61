"""What a feature is, and the words in which the registry describes it."""

from collections.abc import Callable
from dataclasses import dataclass

from ml.features.panel import Matrix
from ml.features.signals import Signals


@dataclass(frozen=True)
class Feature:
    """One input of the models.

    Attributes
    ----------
    compute
        From the signals of a market to a matrix of sessions × symbols.
    group
        Features that the report leaves out together.
    inputs
        Columns of bars and groups that its values depend on, apart from factors of corporate actions.
    window_sessions
        Age of the oldest bar that it uses of a share that trades each day; 0 uses the day alone.
    unit
        What a value is.
    missing
        When it is NaN, apart from days without a trade.
    """

    compute: Callable[[Signals], Matrix]
    group: str
    inputs: tuple[str, ...]
    window_sessions: int
    unit: str
    missing: str


RETURN = ("close", "prev_close")
TURNOVER, DELIVERY, SIZE = ("turnover_lakh",), ("delivered_quantity", "volume"), ("turnover_lakh", "trades")

LOG_RETURN, LOG_RATIO, DAILY = "log return", "log ratio", "log change a day"
RANK, SHARE = "rank in the day, 0-1", "share of the volume"

UNKNOWN_BEFORE = "no trade on the session before, and no published previous close to trust"
NO_START = "no price at the window's start or within 20 sessions before it"


def fewer(least: int, window: int) -> str:
    """The missing rule of a window that needs some of its sessions."""
    return f"fewer than {least} of {window} sessions known"
