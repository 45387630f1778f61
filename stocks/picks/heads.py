"""The head of a published list and its hash, chained to the head published before it on the same list.

Whoever noted yesterday's hash can prove later that a list was not rewritten: the hash covers the list's date, version,
model, time of publication and first ten picks with every figure that was published, and the hash before it.

Canonical text: JSON with the keys in alphabetical order, no spaces, nothing escaped that JSON allows as it is, UTF-8.
Every number is written as the shortest decimal that reads back as the same double, whole ones with `.0`; no -0. The
time is in UTC. The hash is SHA-256 of that text, in hexadecimal digits.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple, Protocol

HEAD_LENGTH: Final = 10


class Published(Protocol):
    """What of a publication its head is made of."""

    @property
    def date(self) -> date: ...
    @property
    def strategy(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def model_id(self) -> str | None: ...
    @property
    def published_at(self) -> datetime: ...
    @property
    def picks(self) -> Sequence[Mapping[str, Any]]: ...
    @property
    def head_hash(self) -> str: ...
    @property
    def previous_hash(self) -> str: ...


class Break(NamedTuple):
    """The first publication at which a list's chain does not hold, and why."""

    publication: Published
    reason: str


def canonical_head(publication: Published, previous_hash: str) -> str:
    """The text that is hashed."""
    head = {
        "date": publication.date.isoformat(),
        "list": publication.strategy,
        "model": publication.model_id,
        "picks": [_canonical(dict(pick)) for pick in publication.picks[:HEAD_LENGTH]],
        "previous": previous_hash,
        "published_at": publication.published_at.astimezone(UTC).isoformat(),
        "version": publication.version,
    }
    return json.dumps(head, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def head_hash(publication: Published, previous_hash: str) -> str:
    """SHA-256 of the canonical head."""
    return hashlib.sha256(canonical_head(publication, previous_hash).encode()).hexdigest()


def _canonical(value: Any) -> Any:
    # The database keeps 1e16 and 10000000000000000 alike, and no -0: all numbers become doubles, and -0.0 + 0.0 is 0.0.
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) + 0.0
    if isinstance(value, Mapping):
        return {str(name): _canonical(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(part) for part in value]
    return value


def first_break(publications: Iterable[Published]) -> Break | None:
    """The first break in the chain of one list, given all its stored publications in order of publication.

    Publications from before hashes were kept have none, and only the first ones may. What the oldest stored one is
    chained to may have been purged: it is the anchor that the rest is proved from.
    """
    before: Published | None = None
    for publication in publications:
        if reason := _flaw(publication, before):
            return Break(publication, reason)
        before = publication
    return None


def _flaw(publication: Published, before: Published | None) -> str:
    if not publication.head_hash:
        return "its hash is missing, though an earlier publication has one" if before and before.head_hash else ""
    if before is not None and publication.previous_hash != before.head_hash:
        return f"it is not chained to the publication before it, version {before.version} of {before.date}"
    if head_hash(publication, publication.previous_hash) != publication.head_hash:
        return "its head is not what was published"
    return ""
