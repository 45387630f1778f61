"""Incidents of simulated securities and of the files about them.

Three sorts: events of the market (splits, demergers, renames, surveillance, listings …), misprints in a day's figures
(a frozen price, a price in paise), and faults of a whole file (late, missing, corrected later, a repeated session). A
market draws its incidents for all sessions at once, from the seed alone, so that requesting later sessions never
changes earlier ones, and switching a kind on or off changes no other. Tests add incidents of their own.
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
"""Kinds that concern a whole file, not one security."""

USUAL: frozenset[Kind] = frozenset(("split", "bonus", "dividend", "rename", "surveillance", "suspension", "listing"))
"""The default: a market whose publisher makes no mistakes."""

EVERY: frozenset[Kind] = frozenset((*CHANCES, *FILE_CHANCES, "listing"))
"""All kinds that a market can draw itself."""

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
        *revision*: that session's published figures are corrected (markets without and with it are the file before
        and after); *frozen*: the previous bar is repeated for ``length`` sessions; *unit_error*: prices are
        multiplied by ``ratio``, the turnover is right.
        *late*: the file is published ``length`` sessions later; *missing*: never; *correction*: it is published with
        wrong figures and corrected after ``length`` sessions; *repeat*: it repeats the previous session.
    session
        First session it applies to (ex-date for split, bonus, dividend, demerger).
    place
        Number of the security in the market; meaningless for a whole file.
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
    """Return the kinds named by words: kinds, ``usual``, ``every`` or ``none``.

    Raises ValueError naming the unknown word and the kinds.
    """
    groups: dict[str, frozenset[Kind]] = {"usual": USUAL, "every": EVERY, "none": frozenset()}
    groups |= {kind: frozenset((kind,)) for kind in EVERY}
    kinds: frozenset[Kind] = frozenset()
    for word in words:
        if word not in groups:
            raise ValueError(
                f"{word!r} is no kind of incident; choose among usual, every, none, {', '.join(sorted(EVERY))}."
            )
        kinds |= groups[word]
    return kinds


def own_incidents(market: Companies, seed: int, horizon: int, kinds: Collection[Kind] = USUAL) -> list[Placed]:
    """Return the incidents that a market draws itself; funds have none.

    ``horizon`` is the number of sessions to draw for, always the same for one market. Kinds switched off are drawn too
    and then left out, so that a switch moves nothing else.
    """
    rng = np.random.default_rng([seed, 2])
    shares = np.flatnonzero(~market.is_fund)
    drawn = []
    for kind, chance in CHANCES.items():
        number = rng.poisson(chance * len(shares) * horizon)
        sessions = rng.integers(1, horizon, number)
        places = rng.choice(shares, number) if len(shares) else np.empty(0, dtype=int)
        lengths = np.exp(rng.normal(4.1, 0.6, number)).astype(int).clip(5, 400)
        choices = rng.integers(0, 5, number)
        for at, place, length, choice in zip(sessions, places, lengths, choices, strict=False):
            lasts = int(length) if kind != "frozen" else 2 + int(length) % (_LONGEST_FROZEN - 1)
            drawn.append(Placed(kind, int(at), int(place), lasts, _ratio(kind, int(choice))))
    return [incident for incident in drawn + _of_files(seed, horizon) if incident.kind in kinds]


def _of_files(seed: int, horizon: int) -> list[Placed]:
    """Return the faults of whole files, at most one per session."""
    rng = np.random.default_rng([seed, 6])
    drawn: dict[int, Placed] = {}
    for kind, chance in FILE_CHANCES.items():
        for at in np.flatnonzero(rng.random(horizon) < chance):
            if at:
                length = int(rng.integers(1, _LONGEST_LATE + 1))
                drawn.setdefault(int(at), Placed(kind, int(at), 0, length, (1, 1)))
    return list(drawn.values())


def placed(incidents: Iterable[Incident], sessions: Sequence[date], count: int) -> list[Placed]:
    """Return incidents with session indices instead of dates.

    Raises ValueError when the date is no session of the market or the place does not exist.
    """
    index = {day: number for number, day in enumerate(sessions)}
    by_index = []
    for incident in incidents:
        if incident.session not in index:
            raise ValueError(f"{incident.session} is not a session of the simulated market.")
        if not 0 <= incident.place < count:
            raise ValueError(f"The market has {count} securities, none at place {incident.place}.")
        by_index.append(Placed(incident.kind, index[incident.session], incident.place, incident.length, incident.ratio))
    return by_index


def listed_between(market: Companies, incidents: Iterable[Placed], horizon: int) -> tuple[Whole, Whole]:
    """Return each security's first session, and the one from which it is delisted (the horizon for most)."""
    first, end = market.lists_at.copy(), np.full(len(market), horizon)
    for incident in incidents:
        if incident.kind == "listing":
            first[incident.place] = incident.at
        elif incident.kind == "delisting":
            end[incident.place] = min(end[incident.place], incident.at)
    return first, end


def factor_of(incident: Placed) -> float:
    """Return the factor of prices before the ex-date; 1 when the incident moves no price."""
    first, second = incident.ratio
    if incident.kind == "split":
        return second / first
    if incident.kind == "bonus":
        return second / (first + second)
    return 1.0


def price_effect(incident: Placed) -> float:
    """Return the share of its value that the published price keeps from the ex-date on, announced or not."""
    if incident.kind == "demerger":
        return incident.ratio[0] / incident.ratio[1]
    return factor_of(incident)


def purpose_of(incident: Placed) -> str:
    """Return a corporate action in the exchange's wording."""
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
