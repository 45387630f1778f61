"""What happens to simulated securities and to the files about them besides trading.

Three sorts: what a market does (splits, demergers, renames, surveillance, listings …), what is printed wrong in one
day's figures (a frozen price, a price in paise), and what goes wrong with a whole file (late, missing, corrected later,
the day before once more). A market draws its own incidents for all sessions to come at once, from the seed alone, so
that asking for later sessions never changes earlier ones, and switching a kind on or off changes no other. A test adds
its own to them.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple

import numpy as np

from market_data.providers.simulator.companies import Companies, Whole

Kind = Literal[
    "split", "bonus", "dividend", "rename", "surveillance", "suspension", "listing", "demerger", "delisting",
    "revision", "frozen", "unit_error",
    "late", "missing", "correction", "repeat",
]  # fmt: skip

# Chance per share and session, about the frequency in the real market of 2023-2026; the order is part of the draw.
CHANCES: dict[Kind, float] = {
    "split": 7e-5,
    "bonus": 7e-5,
    "dividend": 2.5e-3,
    "rename": 8e-5,
    "surveillance": 5e-4,
    "suspension": 4e-5,
    "demerger": 1e-5,
    "delisting": 3e-5,
    "frozen": 3e-5,
    "unit_error": 1e-5,
}
# Chance per session.
FILE_CHANCES: dict[Kind, float] = {"late": 0.02, "missing": 0.004, "correction": 0.02, "repeat": 0.002}
FILE_KINDS = frozenset(FILE_CHANCES)
"""Kinds that befall a whole file, not one security."""

USUAL: frozenset[Kind] = frozenset(
    ("split", "bonus", "dividend", "rename", "surveillance", "suspension", "listing"),
)
"""What happens in a market whose publisher makes no mistake: the default."""

EVERY: frozenset[Kind] = frozenset((*CHANCES, *FILE_CHANCES, "listing"))
"""All that a market can be told to draw by itself."""

_SPLITS = ((10, 5), (10, 2), (10, 1), (5, 1), (2, 1))
_BONUSES = ((1, 1), (1, 2), (2, 1), (1, 3), (3, 1))
_KEPT_BY_DEMERGER = (85, 75, 65, 55, 45)
_LONGEST_FROZEN, _LONGEST_LATE = 8, 3


@dataclass(frozen=True)
class Incident:
    """Something that happens to one security.

    Attributes
    ----------
    kind
        *split* and *bonus* by ``ratio``; *surveillance*: series BE for ``length`` sessions; *suspension*: no trading
        for ``length`` sessions; *listing*: first session; *delisting*: first session without it, for good;
        *demerger*: the price keeps ``ratio`` of its value, and no list says how much; *rename*: a new symbol.
        *revision*: that session's published figures are corrected (a market with and one without it are the file
        before and after); *frozen*: the bar of the session before is printed again for ``length`` sessions;
        *unit_error*: prices multiplied by ``ratio``, their turnover is right.
        *late*: the file lies there ``length`` sessions later only; *missing*: never; *correction*: it is published
        with wrong figures first and put right after ``length`` sessions; *repeat*: it holds the day before once more.
    session
        First session on which it holds (ex-date for split, bonus, dividend, demerger).
    place
        Number of the security in the market; of no meaning for a whole file.
    ratio
        Split: old and new face value, ``(10, 2)``. Bonus: new for held, ``(1, 1)``. Dividend: ₹ and unused. Demerger:
        value kept of a hundred, ``(65, 100)``. Unit error: ``(100, 1)`` or ``(1, 100)``.
    """

    kind: Kind
    session: date
    place: int
    length: int = 0
    ratio: tuple[int, int] = (1, 1)


class Placed(NamedTuple):
    """An incident with its session as an index."""

    kind: Kind
    at: int
    place: int
    length: int
    ratio: tuple[int, int]


def chosen_kinds(words: Iterable[str]) -> frozenset[Kind]:
    """Return the kinds that words name: kinds, ``usual``, ``every`` or ``none``.

    Raises
    ------
    ValueError
        Naming the word, and the kinds there are.
    """
    groups: dict[str, frozenset[Kind]] = {"usual": USUAL, "every": EVERY, "none": frozenset()}
    groups |= {kind: frozenset((kind,)) for kind in EVERY}
    found: frozenset[Kind] = frozenset()
    for word in words:
        if word not in groups:
            raise ValueError(
                f"{word!r} is no kind of incident; choose among usual, every, none, {', '.join(sorted(EVERY))}."
            )
        found |= groups[word]
    return found


def own_incidents(market: Companies, seed: int, horizon: int, kinds: Collection[Kind] = USUAL) -> list[Placed]:
    """Draw what happens in a market.

    Parameters
    ----------
    market
        Its securities; nothing happens to funds.
    seed
        Of the market.
    horizon
        Number of sessions to draw for, always the same for one market however many are asked for.
    kinds
        What is switched on; the others are drawn all the same and left out, so that a switch moves nothing else.
    """
    rng = np.random.default_rng([seed, 2])
    shares = np.flatnonzero(~market.is_fund)
    found = []
    for kind, chance in CHANCES.items():
        number = rng.poisson(chance * len(shares) * horizon)
        sessions = rng.integers(1, horizon, number)
        places = rng.choice(shares, number) if len(shares) else np.empty(0, dtype=int)
        lengths = np.exp(rng.normal(4.1, 0.6, number)).astype(int).clip(5, 400)
        choices = rng.integers(0, 5, number)
        for at, place, length, choice in zip(sessions, places, lengths, choices, strict=False):
            lasts = int(length) if kind != "frozen" else 2 + int(length) % (_LONGEST_FROZEN - 1)
            found.append(Placed(kind, int(at), int(place), lasts, _ratio(kind, int(choice))))
    return [one for one in found + _of_files(seed, horizon) if one.kind in kinds]


def _of_files(seed: int, horizon: int) -> list[Placed]:
    """Draw what goes wrong with whole files; on one session one thing at most."""
    rng = np.random.default_rng([seed, 6])
    drawn: dict[int, Placed] = {}
    for kind, chance in FILE_CHANCES.items():
        for at in np.flatnonzero(rng.random(horizon) < chance):
            if at:
                length = int(rng.integers(1, _LONGEST_LATE + 1))
                drawn.setdefault(int(at), Placed(kind, int(at), 0, length, (1, 1)))
    return list(drawn.values())


def placed(incidents: Iterable[Incident], sessions: Sequence[date], count: int) -> list[Placed]:
    """Turn dates into indices.

    Raises
    ------
    ValueError
        When the date is no session of the market or the place does not exist.
    """
    index = {day: number for number, day in enumerate(sessions)}
    out = []
    for one in incidents:
        if one.session not in index:
            raise ValueError(f"{one.session} is not a session of the simulated market.")
        if not 0 <= one.place < count:
            raise ValueError(f"The market has {count} securities, none at place {one.place}.")
        out.append(Placed(one.kind, index[one.session], one.place, one.length, one.ratio))
    return out


def listed_between(market: Companies, incidents: Iterable[Placed], horizon: int) -> tuple[Whole, Whole]:
    """Return the first session of each security, and the one from which it is delisted (the horizon for most)."""
    first, end = market.lists_at.copy(), np.full(len(market), horizon)
    for one in incidents:
        if one.kind == "listing":
            first[one.place] = one.at
        elif one.kind == "delisting":
            end[one.place] = min(end[one.place], one.at)
    return first, end


def factor_of(incident: Placed) -> float:
    """Return what prices before the ex-date are multiplied with; 1 where the incident moves no price."""
    first, second = incident.ratio
    if incident.kind == "split":
        return second / first
    if incident.kind == "bonus":
        return second / (first + second)
    return 1.0


def price_effect(incident: Placed) -> float:
    """Return what the published price keeps of its value from the ex-date on, told or not."""
    if incident.kind == "demerger":
        return incident.ratio[0] / incident.ratio[1]
    return factor_of(incident)


def purpose_of(incident: Placed) -> str:
    """Word a corporate action as the exchange's list does."""
    first, second = incident.ratio
    if incident.kind == "split":
        return f"Face Value Split (Sub-Division) - From {_rupees(first)} Per Share To {_rupees(second)} Per Share"
    if incident.kind == "bonus":
        return f"Bonus {first}:{second}"
    if incident.kind == "demerger":
        return "Demerger"
    return f"Interim Dividend - {_rupees(first)[:-2]} Per Share"


def _rupees(amount: int) -> str:
    return f"{'Re' if amount == 1 else 'Rs'} {amount}/-"


def _ratio(kind: Kind, choice: int) -> tuple[int, int]:
    if kind == "split":
        return _SPLITS[choice]
    if kind == "bonus":
        return _BONUSES[choice]
    if kind == "demerger":
        return (_KEPT_BY_DEMERGER[choice], 100)
    if kind == "unit_error":
        return (100, 1) if choice % 2 else (1, 100)
    return (choice + 1, 1)
