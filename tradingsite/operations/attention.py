"""Which facts of an evening are whose business: the one table of what is green, grey, amber and red; pure.

Amber is for what somebody should look at tonight. What has stood for weeks, or was never in use, is no reason for it: a
lamp that is amber on every ordinary day is soon read by nobody.
"""

from collections.abc import Iterable
from enum import Enum, IntEnum
from typing import Final


class Colour(IntEnum):
    """Colours of a lamp, each stronger than those before."""

    GREEN = 0
    GREY = 1
    AMBER = 2
    RED = 3

    @property
    def css_class(self) -> str:
        return self.name.lower()


class Fact(Enum):
    """A fact of an evening, as a sentence."""

    PICKS_IN_ORDER = "The picks are published, or will be."
    STANDING_EXCLUSIONS = "Shares are kept out by findings of earlier sessions."
    SOURCE_NOT_IN_USE = "An optional source has never been read."
    UNDECIDED = "It is too early to tell what becomes of the picks."
    NEW_EXCLUSIONS = "Findings of this session keep shares out."
    RUN_UNRESOLVED = "A run failed or was cancelled, and nothing good has followed."
    EVENING_HELD = "The evening is held: it waits for somebody."
    SOURCE_OLD = "A source that is in use has stopped."
    ORDERS_UNCLEAR = "An order is of unknown fate, or an alarm or a difference blocks an account."
    NO_PICKS = "There are no picks, or will be none."
    PICKS_NOT_TRUSTED = "Picks are published from data that have failed a check since."
    CLUSTER_DEAD = "A cluster makes no progress."


COLOURS: Final = {
    Fact.PICKS_IN_ORDER: Colour.GREEN,
    Fact.STANDING_EXCLUSIONS: Colour.GREEN,
    Fact.SOURCE_NOT_IN_USE: Colour.GREEN,
    Fact.UNDECIDED: Colour.GREY,
    Fact.NEW_EXCLUSIONS: Colour.AMBER,
    Fact.RUN_UNRESOLVED: Colour.AMBER,
    Fact.EVENING_HELD: Colour.AMBER,
    Fact.SOURCE_OLD: Colour.AMBER,
    Fact.ORDERS_UNCLEAR: Colour.RED,
    Fact.NO_PICKS: Colour.RED,
    Fact.PICKS_NOT_TRUSTED: Colour.RED,
    Fact.CLUSTER_DEAD: Colour.RED,
}


def lamp(facts: Iterable[Fact]) -> Colour:
    """The strongest colour of some facts; grey when there are none."""
    return max((COLOURS[fact] for fact in facts), default=Colour.GREY)
