"""The ways in which the simulator can be made to fail a call, and what each comes out as; pure.

The names are those of the tables in `docs/brokers.md`, which a test reads.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from brokers.protocol import (
    CALLS,
    WRITES,
    BrokerError,
    NotAuthenticated,
    OutcomeUnknown,
    Refused,
    Rejected,
    TooManyCalls,
    Unavailable,
    Unreadable,
)


class Fault(StrEnum):
    """What happens to a call."""

    NO_CONNECTION = "connection never made"
    TOO_MANY_CALLS = "429"
    INTERNAL = "500"
    BAD_GATEWAY = "502"
    BUSY = "503"
    GATEWAY_SILENT = "504"
    HTML_ERROR = "HTML with 502"
    HTML = "HTML with 200"
    SLOW = "slow"
    DRIPPING = "dripping"
    CUT_OFF = "cut off"
    HALF_JSON = "half JSON"
    RESET = "reset"
    REDIRECT = "redirect"
    NO_CONTENT_TYPE = "no content type"
    LIST = "a list"
    MISSING_KEYS = "missing keys"
    NOT_AUTHENTICATED = "not authenticated"
    REFUSED = "refused"
    REJECTED = "rejected"
    NOT_ACKNOWLEDGED = "not acknowledged"


_UNDOCUMENTED: Final = (Fault.NO_CONTENT_TYPE, Fault.LIST, Fault.MISSING_KEYS)
_NOT_DONE: Final = {
    Fault.NO_CONNECTION: Unavailable,
    Fault.TOO_MANY_CALLS: TooManyCalls,
    Fault.NOT_AUTHENTICATED: NotAuthenticated,
    Fault.REFUSED: Refused,
    Fault.REJECTED: Rejected,
}
_REMEDIES: Final = {
    Fault.NO_CONNECTION: "nothing was sent; try again later",
    Fault.TOO_MANY_CALLS: "call less often",
    Fault.NOT_AUTHENTICATED: "at a real broker the account's owner would log in now",
    Fault.REFUSED: "at a real broker the operator would have to change a permission, the app or the address",
    Fault.REJECTED: "it was understood and is not done",
}
EVERY_CALL: Final = "*"


@dataclass(frozen=True)
class Drill:
    """An order to fail.

    Parameters
    ----------
    call : a name of the protocol's calls, or `*` for whichever comes
    times : how many of them
    done : whether a write whose outcome nobody tells was done before its answer was lost
    retry_after_seconds : the wait that is named with too many calls
    """

    call: str
    fault: Fault
    times: int = 1
    done: bool = False
    retry_after_seconds: float | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for what can never happen."""
        if self.call not in (*CALLS, EVERY_CALL):
            raise ValueError(f"{self.call!r} is no call: use {EVERY_CALL} or one of {', '.join(CALLS)}.")
        if self.times < 1:
            raise ValueError(f"A drill of {self.times} times is none: use 1 or more.")
        if self.done and self.fault in _NOT_DONE:
            raise ValueError(f"After {self.fault.value!r} a call is never done: leave done out.")
        if self.fault == Fault.NOT_ACKNOWLEDGED and self.call not in WRITES:
            raise ValueError(f"Only {', '.join(sorted(WRITES))} are acknowledged: {self.call} is not.")


def error_of(drill: Drill, call: str) -> BrokerError:
    """What a drilled call raises."""
    fault = drill.fault
    if fault in _NOT_DONE:
        return _NOT_DONE[fault](
            f"The simulator fails {call} by a drill ({fault.value}): {_REMEDIES[fault]}.",
            code=None if fault == Fault.NO_CONNECTION else fault.value,
            sent=fault != Fault.NO_CONNECTION,
            retry_after_seconds=drill.retry_after_seconds if fault == Fault.TOO_MANY_CALLS else None,
        )
    if call in WRITES:
        return OutcomeUnknown(
            f"Nobody told whether the simulator did the {call}: a drill lost its answer ({fault.value})."
            " Look for its tag in the order book before anything else."
        )
    if fault == Fault.REDIRECT:
        return Refused(f"The simulator redirects {call} by a drill, which is not followed.")
    if fault in _UNDOCUMENTED:
        return Unreadable(f"The simulator's answer to {call} is not as documented, by a drill ({fault.value}).")
    return Unavailable(f"The simulator cannot answer {call}, by a drill ({fault.value}). Try again later.")
