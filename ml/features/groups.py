"""Sectors and industries of a panel's shares, and means within them that no later fact can change.

A mean is equal-weighted, or weighted by turnover, over the shares of the group that have a value on the day; the share
itself is one of them, so that all members of a group are measured from the same number. A group of fewer than
``FEWEST_MEMBERS`` says little, and that a share's group is unknown would tell that the share died before the lists
were made: both take the mean of all shares instead.

Sums are exact, so that a mean depends neither on the order of the columns nor on shares that list later: the terms are
rounded to a fixed step, of which a double holds any sum that a market can reach.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml.features.panel import Matrix

GROUP_COLUMNS = ("symbol", "sector", "industry")

# Own share included. Means of fewer shares are mostly the share itself and its noise.
FEWEST_MEMBERS = 6

# Sums of multiples of these are exact below 2**53 steps: 10,000 shares whose values are each below 13, or weights
# (₹ lakh) that sum to 500 million, twenty times a day of the whole exchange.
_VALUE_STEP = 2.0**-36
_WEIGHTED_STEP = 2.0**-24


@dataclass(frozen=True)
class Grouping:
    """The group of each column of a panel, as a number; -1 where it is unknown."""

    codes: npt.NDArray[np.intp]

    def means(self, values: Matrix, weights: Matrix | None = None) -> Matrix:
        """Mean of each share's group on each day, sessions × symbols; ``market_mean`` where the group says little.

        A share without a value has its group's mean; a day without any value is NaN. Values without a positive weight
        do not count.
        """
        terms = _Terms.of(values, weights)
        result = np.repeat(terms.market(), values.shape[1], axis=1)
        known = self.codes >= 0
        if known.any():
            present = np.flatnonzero(known)
            own = np.searchsorted(np.unique(self.codes[known]), self.codes[known])
            mean, members = terms.by_group(present, own)
            result[:, present] = np.where(members >= FEWEST_MEMBERS, mean, result[:, present])
        return result


@dataclass(frozen=True)
class _Terms:
    """Exactly summable numerators and denominators of a mean, and where they count, sessions × symbols."""

    numerator: Matrix
    denominator: Matrix
    counted: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, values: Matrix, weights: Matrix | None) -> "_Terms":
        if weights is None:
            counted = np.isfinite(values)
            return cls(_rounded(np.where(counted, values, 0.0), _VALUE_STEP), counted.astype(np.float64), counted)
        counted = np.isfinite(values) & np.isfinite(weights) & (weights > 0)
        weight = _rounded(np.where(counted, weights, 0.0), _WEIGHTED_STEP)
        return cls(_rounded(np.where(counted, values, 0.0) * weight, _WEIGHTED_STEP), weight, counted)

    def market(self) -> Matrix:
        """Mean of all shares, one column."""
        return _quotient(self.numerator.sum(axis=1, keepdims=True), self.denominator.sum(axis=1, keepdims=True))

    def by_group(self, columns: npt.NDArray[np.intp], groups: npt.NDArray[np.intp]) -> tuple[Matrix, Matrix]:
        """Mean and number of counted members of the group (0, 1, … without a gap) of each given column."""
        order = np.argsort(groups, kind="stable")
        starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
        numerator, denominator, members = (
            np.add.reduceat(terms[:, columns[order]], starts, axis=1)[:, groups]
            for terms in (self.numerator, self.denominator, self.counted.astype(np.float64))
        )
        return _quotient(numerator, denominator), members


def _rounded(values: Matrix, step: float) -> Matrix:
    # Adding 0 turns -0 into 0: the sum of nothing but zeros must not depend on their signs.
    rounded: Matrix = np.rint(values / step) * step + 0.0
    return rounded


def _quotient(numerator: Matrix, denominator: Matrix) -> Matrix:
    result = np.full_like(numerator, np.nan)
    np.divide(numerator, denominator, out=result, where=denominator > 0)
    return result


def market_mean(values: Matrix) -> Matrix:
    """Equal-weighted mean of the day's values, one column; NaN on a day without any."""
    return _Terms.of(values, None).market()


def grouping(groups: pd.DataFrame, column: str, symbols: pd.Index) -> Grouping:
    """Number the groups of the symbols.

    Parameters
    ----------
    groups
        symbol (unique) and ``column``; symbols may be missing and groups None.
    """
    names = groups.set_index("symbol")[column].reindex(symbols)
    codes, _ = pd.factorize(names, sort=True)
    return Grouping(np.asarray(codes, dtype=np.intp))
