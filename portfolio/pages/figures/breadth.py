"""How a market moved, as a whole and by sector; pure.

Input is one row a share of the session (see `market_queries.market_frame`); what is not known is NaN and not counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
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
    whole = pd.Series("", index=returns_pct.index)
    return _moves_by(returns_pct, whole).get("", Moves(0, 0, 0, 0, None, None))


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
    sector = frame["sector"].fillna(NO_SECTOR)
    groups = frame.groupby(sector, sort=True)
    shares = groups.size()
    sums = groups[["market_cap", "turnover_lakh"]].sum(min_count=1)
    grouped = [_moves_by(frame[column], sector) for column in columns]
    found = [
        Sector(
            name=str(name),
            shares=int(shares[name]),
            market_cap_crores=_known(sums.at[name, "market_cap"]),
            turnover_lakh=_known(sums.at[name, "turnover_lakh"]),
            moves=tuple(moves_of[name] for moves_of in grouped),
        )
        for name in shares.index
    ]
    return sorted(found, key=lambda one: -(one.market_cap_crores or 0.0))


def _moves_by(returns_pct: pd.Series, sector: pd.Series) -> dict[str, Moves]:
    """Return the moves of each sector, all at once: one by one they take a page's whole time."""
    signs, groups = np.sign(returns_pct), returns_pct.groupby(sector)
    known = groups.count()
    rose, fell, stood = ((signs == sign).groupby(sector).sum() for sign in (1, -1, 0))
    medians, means = groups.median(), groups.mean()
    return {
        str(name): Moves(
            known=int(known[name]),
            advances=int(rose[name]),
            declines=int(fell[name]),
            unchanged=int(stood[name]),
            median_pct=_known(medians[name]),
            mean_pct=_known(means[name]),
        )
        for name in known.index.astype(str)
    }


def _known(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)
