"""Quotients and the bounds beyond which one says nothing; pure."""

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

CRORE = 1e7
# Beyond these a figure only says that its denominator is next to nothing.
LIMITS = {
    "roe": (-200.0, 200.0),
    "roa": (-200.0, 200.0),
    "roce": (-200.0, 200.0),
    "pe_ratio": (-10_000.0, 10_000.0),
    "peg_ratio": (0.0, 100.0),
    "debt_to_equity": (0.0, 25.0),
    "operating_margin": (-1000.0, 100.0),
    "net_margin": (-1000.0, 1000.0),
    "profit_margin": (-1000.0, 1000.0),
    "revenue_growth": (-100.0, 1000.0),
    "earnings_growth": (-1000.0, 1000.0),
    "current_ratio": (0.0, 1000.0),
    "quick_ratio": (0.0, 1000.0),
}


def over(numerator: "pd.Series[float] | Floats", denominator: "pd.Series[float] | Floats") -> Floats:
    """Quotient, NaN where the denominator is not positive."""
    below = np.asarray(denominator, dtype=np.float64)
    above = np.asarray(numerator, dtype=np.float64)
    positive = below > 0
    return np.where(positive, above / np.where(positive, below, 1.0), np.nan)


def limited(column: str, values: Floats) -> Floats:
    """The values of a figure named in ``LIMITS``, NaN beyond its bounds."""
    low, high = LIMITS[column]
    return np.where((values >= low) & (values <= high), values, np.nan)
