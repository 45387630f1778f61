"""Quotients, and the limits beyond which a ratio is meaningless; pure."""

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

CRORE = 1e7
# A ratio beyond these only shows that its denominator is close to zero.
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


def quotient(numerator: "pd.Series[float] | Floats", denominator: "pd.Series[float] | Floats") -> Floats:
    """Quotient, NaN where the denominator is not positive."""
    below = np.asarray(denominator, dtype=np.float64)
    above = np.asarray(numerator, dtype=np.float64)
    positive = below > 0
    return np.where(positive, above / np.where(positive, below, 1.0), np.nan)


def within_limits(column: str, values: Floats) -> Floats:
    """Values of a column of ``LIMITS``, NaN beyond its limits."""
    low, high = LIMITS[column]
    return np.where((values >= low) & (values <= high), values, np.nan)
