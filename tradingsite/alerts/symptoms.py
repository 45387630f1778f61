"""What a condition is given, and what it reports."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Symptom:
    """Something that is wrong, with what to do; symptoms of the same key, ``condition:what``, are the same trouble."""

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
    """When and where conditions are checked, and what is open already."""

    now: datetime
    watched_since: datetime  # first check of this installation; what was planned before raises no alert
    cluster: str  # the one that checks; the first of settings.CLUSTERS checks the disks
    host: str
    open_keys: Mapping[str, datetime]  # of the open troubles, with the moment each was last seen
