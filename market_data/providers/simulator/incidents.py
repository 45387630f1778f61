"""What happens to simulated securities besides trading: splits, bonuses, renames, surveillance, suspensions, listings.

A market draws its own incidents for all sessions to come at once, from the seed alone, so that asking for later
sessions never changes earlier ones. A test adds its own to them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple

import numpy as np

from market_data.providers.simulator.companies import Companies

Kind = Literal["split", "bonus", "dividend", "rename", "surveillance", "suspension", "listing", "revision"]

# Chance per share and session, about the frequency in the real market of 2023-2026.
CHANCES: dict[Kind, float] = {
    "split": 7e-5,
    "bonus": 7e-5,
    "dividend": 2.5e-3,
    "rename": 8e-5,
    "surveillance": 5e-4,
    "suspension": 4e-5,
}
_SPLITS = ((10, 5), (10, 2), (10, 1), (5, 1), (2, 1))
_BONUSES = ((1, 1), (1, 2), (2, 1), (1, 3), (3, 1))


@dataclass(frozen=True)
class Incident:
    """Something that happens to one security.

    Attributes
    ----------
    kind
        *split* and *bonus* by ``ratio``; *surveillance*: series BE for ``length`` sessions; *suspension*: no trading
        for ``length`` sessions; *listing*: first session; *rename*: a new symbol; *revision*: that session's published
        figures are corrected (a market with and one without it are the file before and after).
    session
        First session on which it holds (ex-date for split, bonus, dividend).
    place
        Number of the security in the market.
    ratio
        Split: old and new face value, ``(10, 2)``. Bonus: new for held, ``(1, 1)``. Dividend: ₹ and unused.
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


def own_incidents(market: Companies, seed: int, horizon: int) -> list[Placed]:
    """Draw what happens in a market.

    Parameters
    ----------
    market
        Its securities; nothing happens to funds.
    seed
        Of the market.
    horizon
        Number of sessions to draw for, always the same for one market however many are asked for.
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
            found.append(Placed(kind, int(at), int(place), int(length), _ratio(kind, int(choice))))
    return found


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


def factor_of(incident: Placed) -> float:
    """Return what prices before the ex-date are multiplied with; 1 where the incident moves no price."""
    first, second = incident.ratio
    if incident.kind == "split":
        return second / first
    if incident.kind == "bonus":
        return second / (first + second)
    return 1.0


def purpose_of(incident: Placed) -> str:
    """Word a corporate action as the exchange's list does."""
    first, second = incident.ratio
    if incident.kind == "split":
        return f"Face Value Split (Sub-Division) - From {_rupees(first)} Per Share To {_rupees(second)} Per Share"
    if incident.kind == "bonus":
        return f"Bonus {first}:{second}"
    return f"Interim Dividend - {_rupees(first)[:-2]} Per Share"


def _rupees(amount: int) -> str:
    return f"{'Re' if amount == 1 else 'Rs'} {amount}/-"


def _ratio(kind: Kind, choice: int) -> tuple[int, int]:
    if kind == "split":
        return _SPLITS[choice]
    if kind == "bonus":
        return _BONUSES[choice]
    return (choice + 1, 1)
