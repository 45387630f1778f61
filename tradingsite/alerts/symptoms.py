"""What a condition is given, and what it reports."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Symptom:
    """Something that is wrong.

    Attributes
    ----------
    key : str
        ``condition:what``; as long as symptoms have the same key, it is the same trouble.
    title, remedy : str
        Sentences: what is wrong, what to do.
    """

    key: str
    title: str
    remedy: str = ""


@dataclass
class ConditionResult:
    """What a condition reports; a trouble whose key is unknown now is neither opened nor closed."""

    symptoms: list[Symptom] = field(default_factory=list)
    unknown_keys: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class CheckContext:
    """When and where conditions are checked, and what is open already.

    Attributes
    ----------
    now : datetime
        The moment ages count from.
    watched_since : datetime
        First check of this installation; what was planned before raises no alert.
    cluster, host : str
        The cluster that checks, and its machine; the first of settings.CLUSTERS checks the disks.
    open_keys : mapping of str to datetime
        Keys of the open troubles, with the moment each was last seen.
    """

    now: datetime
    watched_since: datetime
    cluster: str
    host: str
    open_keys: Mapping[str, datetime]
