"""Samples: features of tradable bars with their outcomes, as matrices for the estimators.

Pure: frames in, samples out. A fingerprint of the content tells what a model was fitted on, and which folds need not be
computed again.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml.features.facts import FACTS
from ml.learning.labels import OUTCOMES

if TYPE_CHECKING:
    from pandas.core.groupby import SeriesGroupBy

Rows = npt.NDArray[np.bool_]

KEYS = ["symbol", "date"]


@dataclass(frozen=True)
class Samples:
    """Rows of tradable bars, sorted by date and symbol.

    Attributes
    ----------
    keys
        symbol, date, the outcomes of ``labels`` and the ``FACTS`` of the bar; RangeIndex.
    position
        Position of each row's session on the market's calendar; ascending.
    values
        float32, rows × features; NaN where unknown.
    ranks
        float32, rows × features: ``centred_ranks`` of the values among all rows of their session.
    """

    keys: pd.DataFrame
    position: npt.NDArray[np.int64]
    values: npt.NDArray[np.float32]
    ranks: npt.NDArray[np.float32]
    features: tuple[str, ...]
    sessions: pd.DatetimeIndex

    def __len__(self) -> int:
        return len(self.keys)

    def where(self, rows: Rows | slice) -> "Samples":
        keys = self.keys.loc[rows] if isinstance(rows, np.ndarray) else self.keys.iloc[rows]
        arrays = self.position[rows], self.values[rows], self.ranks[rows]
        return Samples(keys.reset_index(drop=True), *arrays, self.features, self.sessions)

    def between(self, first: int, last: int) -> "Samples":
        """The rows of the sessions from one position to another, both included; nothing is copied."""
        return self.where(slice(*np.searchsorted(self.position, (first, last + 1)).tolist()))

    def known_by(self, position: int) -> Rows:
        """Which rows' outcome had happened by the close of the session at a position: a fit there may use them."""
        known: Rows = self.keys["exit_position"].to_numpy() <= position
        return known

    def only(self, features: Sequence[str]) -> "Samples":
        """The same rows with some of the features."""
        columns = [self.features.index(name) for name in features]
        arrays = self.position, self.values[:, columns], self.ranks[:, columns]
        return Samples(self.keys, *arrays, tuple(features), self.sessions)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of keys, outcomes, values and feature names."""
        digest = hashlib.sha256("\0".join(self.features).encode())
        digest.update(np.ascontiguousarray(self.values).tobytes())
        digest.update(pd.util.hash_pandas_object(self.keys, index=False).to_numpy().tobytes())
        return digest.hexdigest()


def samples(features: pd.DataFrame, outcomes: pd.DataFrame, facts: pd.DataFrame, sessions: pd.DatetimeIndex) -> Samples:
    """Join features with outcomes for the bars of tradable shares; the index of all three identifies the bar.

    ``outcomes`` (``labels``) and ``facts`` (with ``tradable``) may have more rows. Bars without an outcome are
    included: they can be predicted, but not learnt from. An infinite feature is as unknown as a missing one.
    """
    tradable = np.flatnonzero(facts["tradable"].reindex(features.index).to_numpy(dtype=bool))
    chosen = features[KEYS].iloc[tradable].reset_index(drop=True).sort_values(["date", "symbol"])
    rows = tradable[chosen.index]
    names = tuple(column for column in features.columns if column not in KEYS)
    keys = features[KEYS].iloc[rows].join(outcomes[[*OUTCOMES]]).join(facts[[*FACTS]]).reset_index(drop=True)
    position = sessions.get_indexer(pd.DatetimeIndex(keys["date"])).astype(np.int64)
    # Column by column: one matrix of float64 for all features would double the peak memory.
    values = np.empty((len(rows), len(names)), dtype=np.float32)
    for index, name in enumerate(names):
        column = features[name].to_numpy(dtype=np.float64)[rows]
        values[:, index] = np.where(np.isfinite(column), column, np.nan)
    return Samples(keys, position, values, centred_ranks(position, values), names, sessions)


def day_slices(position: npt.NDArray[np.int64]) -> Iterator[slice]:
    """Yield the rows of each session of ascending positions."""
    starts = np.flatnonzero(np.diff(position, prepend=position[:1] - 1))
    for start, end in pairwise([*starts, len(position)]):
        yield slice(int(start), int(end))


def centred_ranks(position: npt.NDArray[np.int64], values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Rank of each feature within its session, ties averaged, scaled to -0.5 … 0.5; 0 where it is unknown."""
    ranks = np.zeros(values.shape, dtype=np.float32)
    for rows in day_slices(position):
        rank: npt.NDArray[np.float64] = pd.DataFrame(values[rows]).rank().to_numpy()
        known = np.isfinite(rank)
        ranks[rows] = np.where(known, (rank - 0.5) / np.maximum(known.sum(axis=0), 1) - 0.5, 0.0)
    return ranks


def by_day(position: npt.NDArray[np.int64], values: npt.NDArray[np.float64]) -> "SeriesGroupBy[Any, Any]":
    return pd.Series(values).groupby(position, sort=False)


def day_percentiles(position: npt.NDArray[np.int64], values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Rank of each value among those of its session, ties averaged, scaled to the open interval 0-1."""
    grouped = by_day(position, values)
    percentiles = (grouped.rank() - 0.5) / grouped.transform("count")
    return percentiles.to_numpy(dtype=np.float64)
