"""How a market moved, as a whole and by sector; pure.

Input is one row a share of the session (see `market_queries.market_frame`); what is not known is NaN and not counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

NO_SECTOR: Final = "Sector not known"


@dataclass(frozen=True)
class Moves:
    """What some shares did over one horizon.

    Attributes
    ----------
    known : int
        Shares with a close at both ends; the others count nowhere.
    median_pct, mean_pct : float or None
        Percent, each share counting the same.
    """

    known: int
    advances: int
    declines: int
    unchanged: int
    median_pct: float | None
    mean_pct: float | None

    @property
    def advances_share(self) -> float | None:
        """Return the part of the known shares that rose, 0-1."""
        return self.advances / self.known if self.known else None

    @property
    def declines_share(self) -> float | None:
        """Return the part of the known shares that fell, 0-1."""
        return self.declines / self.known if self.known else None


@dataclass(frozen=True)
class Sector:
    """One sector of the session.

    Attributes
    ----------
    market_cap_crores : float or None
        Sum over the shares whose market cap is known; None where none is.
    moves : tuple of Moves
        In the order of the horizons asked for.
    """

    name: str
    shares: int
    market_cap_crores: float | None
    turnover_lakh: float | None
    moves: tuple[Moves, ...]


def moves(returns_pct: pd.Series) -> Moves:
    """Count and average some returns in percent."""
    known = returns_pct.dropna()
    return Moves(
        known=len(known),
        advances=int((known > 0).sum()),
        declines=int((known < 0).sum()),
        unchanged=int((known == 0).sum()),
        median_pct=float(known.median()) if len(known) else None,
        mean_pct=float(known.mean()) if len(known) else None,
    )


def sectors(frame: pd.DataFrame, columns: Sequence[str]) -> list[Sector]:
    """Group shares by sector.

    Parameters
    ----------
    frame
        One row a share: sector, market_cap (₹ crore), turnover_lakh, and the columns below.
    columns
        Columns of returns in percent, one a horizon.

    Returns
    -------
    list of Sector
        The largest market cap first, those without one last.
    """
    named = frame.assign(sector=frame["sector"].fillna(NO_SECTOR))
    found = [
        Sector(
            name=str(name),
            shares=len(group),
            market_cap_crores=_sum(group["market_cap"]),
            turnover_lakh=_sum(group["turnover_lakh"]),
            moves=tuple(moves(group[column]) for column in columns),
        )
        for name, group in named.groupby("sector", sort=True)
    ]
    return sorted(found, key=lambda sector: -(sector.market_cap_crores or 0.0))


def _sum(values: pd.Series) -> float | None:
    known = values.dropna()
    return float(known.sum()) if len(known) else None
