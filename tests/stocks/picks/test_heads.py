"""The hash of a list's head: the documented text by hand, and what breaks a chain."""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from stocks.picks import heads

AT = datetime(2026, 4, 30, 20, 45, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Listed:
    date: date = date(2026, 4, 30)
    strategy: str = "growth"
    version: int = 1
    model_id: str | None = "m"
    published_at: datetime = AT
    picks: list[dict[str, Any]] = field(default_factory=list)
    head_hash: str = ""
    previous_hash: str = ""


def chained(*lists: Listed, previous: str = "") -> list[Listed]:
    result = []
    for listed in lists:
        hashed = replace(listed, previous_hash=previous, head_hash=heads.head_hash(listed, previous))
        result.append(hashed)
        previous = hashed.head_hash
    return result


def test_the_text_is_as_documented() -> None:
    pick = {"symbol": "M&M", "rank": 1, "price": 1e16, "zero": -0.0, "pe": None, "parts": {"b": 0.1, "a": 2}, "in": "é"}
    listed = Listed(picks=[pick], published_at=AT.astimezone(timezone(timedelta(hours=5, minutes=30))))
    text = (
        '{"date":"2026-04-30","list":"growth","model":"m","picks":[{"in":"é","parts":{"a":2.0,"b":0.1},"pe":null,'
        '"price":1e+16,"rank":1.0,"symbol":"M&M","zero":0.0}],"previous":"ab",'
        '"published_at":"2026-04-30T20:45:12+00:00","version":1}'
    )
    assert heads.canonical_head(listed, "ab") == text
    assert heads.head_hash(listed, "ab") == hashlib.sha256(text.encode()).hexdigest()


def test_a_whole_chain_holds_whatever_it_is_anchored_to() -> None:
    assert heads.first_break([]) is None
    assert heads.first_break([Listed(), *chained(Listed(version=2), Listed(version=3))]) is None
    assert heads.first_break(chained(Listed(version=2), Listed(version=3), previous="purged")) is None


@pytest.mark.parametrize(
    ("change", "version", "reason"),
    [
        ({"picks": [{"symbol": "BBB"}]}, 2, "not what was published"),
        ({"model_id": None}, 2, "not what was published"),
        ({"published_at": AT - timedelta(seconds=1)}, 2, "not what was published"),
        ({"head_hash": ""}, 2, "missing"),
        ({"previous_hash": "0"}, 2, "not chained"),
    ],
)
def test_a_change_is_named_where_it_is(change: dict[str, Any], version: int, reason: str) -> None:
    first, second, third = chained(*(Listed(version=number, picks=[{"symbol": "AAA"}]) for number in (1, 2, 3)))
    broken = heads.first_break([first, replace(second, **change), third])
    assert broken is not None
    assert broken.publication.version == version
    assert reason in broken.reason


def test_a_rewrite_with_its_own_hash_breaks_the_next_link_and_a_lost_list_too() -> None:
    first, second, third = chained(*(Listed(version=number, picks=[{"symbol": "AAA"}]) for number in (1, 2, 3)))
    forged = replace(second, picks=[{"symbol": "BBB"}])
    forged = replace(forged, head_hash=heads.head_hash(forged, forged.previous_hash))
    for lists in ([first, forged, third], [first, third]):
        broken = heads.first_break(lists)
        assert broken is not None
        assert (broken.publication.version, "not chained" in broken.reason) == (3, True)


def test_only_the_first_ten_picks_count() -> None:
    ten = [{"rank": place} for place in range(1, 11)]
    assert heads.head_hash(Listed(picks=ten), "") == heads.head_hash(Listed(picks=[*ten, {"rank": 11}]), "")
    assert heads.head_hash(Listed(picks=ten), "") != heads.head_hash(Listed(picks=ten[:9]), "")
