"""Market breadth: moves of shares, overall and by sector.

Input is one row per share of the session (see `market_queries.market_frame`); unknown values are NaN and not counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

NO_SECTOR: Final = "Sector not known"


@dataclass(frozen=True)
class Moves:
    """Moves of a group of shares over one horizon; median and mean in percent, equally weighted.

    Shares without a close at both ends of the horizon are not counted anywhere.
    """

    traded: int
    advances: int
    declines: int
    unchanged: int
    median_pct: float | None
    mean_pct: float | None

    @property
    def advances_share(self) -> float | None:
        """Fraction of the traded shares that rose."""
        return self.advances / self.traded if self.traded else None

    @property
    def declines_share(self) -> float | None:
        """Fraction of the traded shares that fell."""
        return self.declines / self.traded if self.traded else None


@dataclass(frozen=True)
class Sector:
    """One sector of the session.

    Attributes
    ----------
    market_cap_crores : float or None
        Sum over the shares whose market cap is known; None if none is.
    moves : tuple of Moves
        One per horizon.
    """

    name: str
    shares: int
    market_cap_crores: float | None
    turnover_lakh: float | None
    moves: tuple[Moves, ...]


def moves(returns_pct: pd.Series) -> Moves:
    """Counts and averages of returns in percent."""
    whole = pd.Series("", index=returns_pct.index)
    return _moves_by(returns_pct, whole).get("", Moves(0, 0, 0, 0, None, None))


def sectors(frame: pd.DataFrame, columns: Sequence[str]) -> list[Sector]:
    """Market cap, turnover and moves of each sector, largest market cap first, sectors without one last.

    The frame has one row per share: sector, market_cap (₹ crore), turnover_lakh, and the given columns of returns in
    percent, one per horizon.
    """
    sector = frame["sector"].fillna(NO_SECTOR)
    groups = frame.groupby(sector, sort=True)
    shares = groups.size()
    sums = groups[["market_cap", "turnover_lakh"]].sum(min_count=1)
    by_horizon = [_moves_by(frame[column], sector) for column in columns]
    unordered = [
        Sector(
            name=str(name),
            shares=int(shares[name]),
            market_cap_crores=_float_or_none(sums.at[name, "market_cap"]),
            turnover_lakh=_float_or_none(sums.at[name, "turnover_lakh"]),
            moves=tuple(sector_moves[name] for sector_moves in by_horizon),
        )
        for name in shares.index
    ]
    return sorted(unordered, key=lambda item: -(item.market_cap_crores or 0.0))


def _moves_by(returns_pct: pd.Series, sector: pd.Series) -> dict[str, Moves]:
    """Moves of each sector, vectorised: a loop over sectors would dominate the page's response time."""
    signs, groups = np.sign(returns_pct), returns_pct.groupby(sector)
    traded = groups.count()
    advances, declines, unchanged = ((signs == sign).groupby(sector).sum() for sign in (1, -1, 0))
    medians, means = groups.median(), groups.mean()
    return {
        str(name): Moves(
            traded=int(traded[name]),
            advances=int(advances[name]),
            declines=int(declines[name]),
            unchanged=int(unchanged[name]),
            median_pct=_float_or_none(medians[name]),
            mean_pct=_float_or_none(means[name]),
        )
        for name in traded.index.astype(str)
    }


def _float_or_none(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)
