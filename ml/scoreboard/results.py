"""How the trade of a pick may end, and which of its levels may be reached first."""

from enum import StrEnum


class Result(StrEnum):
    """How a pick's trade ended."""

    SOLD = "sold"
    NOT_BOUGHT = "not_bought"
    UNSOLD = "unsold"
    UNMEASURED = "unmeasured"


class Level(StrEnum):
    """The level that was reached first within the ten sessions held."""

    TARGET = "target"
    STOP = "stop"
    NONE = "none"
