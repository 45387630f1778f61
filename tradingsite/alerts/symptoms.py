"""What a condition hands over: symptoms it sees, and those it cannot judge now."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Symptom:
    """Something that is wrong.

    Attributes
    ----------
    key : str
        ``condition:what``; as long as symptoms bear the same key, it is the same trouble.
    title, remedy : str
        Sentences: what is wrong, what to do.
    """

    key: str
    title: str
    remedy: str = ""


@dataclass
class Seen:
    """What one condition found; `undecided` are keys that can neither be seen nor be said to be over."""

    symptoms: list[Symptom] = field(default_factory=list)
    undecided: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Watch:
    """Who looks, when, and what is told already.

    Attributes
    ----------
    now : datetime
        The moment looked at.
    since : datetime
        When this installation began to be watched; what was planned before is nobody's trouble.
    cluster : str
        The cluster that looks; the first of settings.CLUSTERS looks at the disks.
    host : str
        Its machine.
    told : mapping of str to datetime
        Keys of the open troubles, with the moment each was last seen.
    """

    now: datetime
    since: datetime
    cluster: str
    host: str
    told: Mapping[str, datetime]
