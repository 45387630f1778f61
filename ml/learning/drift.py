"""Drift: how far tonight's market lies outside of what the models learnt from; pure.

Each session gives four figures of every feature: the share of shares that have none, the median, the logarithm of the
spread between the quartiles, and the share of its most frequent value. Their ranges over the sessions learnt from stand
for the ordinary. A crash moves a figure by less than the width of its range out of it; a feed that lacks a column,
repeats one number or mixes units, by several widths. The figures are those of the field's practice for batches of data
(completeness, location, spread, most frequent value: Redyuk, Kaoudi, Markl and Schelter 2021, EDBT).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ml.learning.samples import Samples, day_slices

Numbers = npt.NDArray[np.float64]

FIGURES = ("unknown", "median", "spread", "most frequent")
_QUANTILES = (0.005, 0.995)
# Fewer unknown ones, or fewer equal ones, than ever are no fault.
_ONE_SIDED = [FIGURES.index("unknown"), FIGURES.index("most frequent")]
# Shares of a session, and logarithms of its spreads, differ by so much without any meaning.
_NARROWEST_SHARE, _NARROWEST_LOG = 0.02, 0.25
_SPREAD = FIGURES.index("spread")
_SMALLEST_SPREAD = 1e-6  # so that a constant column has a logarithm


class Drift(NamedTuple):
    """The figure that lies farthest outside of its range, in widths of the range; 0 where none lies outside.

    ``value``, ``low`` and ``high`` are the figure and its range, of a spread not the logarithms.
    """

    distance: float
    feature: str
    figure: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Ranges:
    """Ranges of the daily figures, figures × features: lower and upper ends, and the width that counts as one."""

    features: tuple[str, ...]
    low: Numbers
    high: Numbers
    width: Numbers

    def as_json(self) -> dict[str, Any]:
        ends = {name: _plain(getattr(self, name)) for name in ("low", "high", "width")}
        return {"features": list(self.features), **ends}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Ranges":
        ends = (np.asarray(content[name], dtype=np.float64) for name in ("low", "high", "width"))
        return cls(tuple(content["features"]), *ends)

    def distances(self, figures: Numbers) -> Numbers:
        """Distance of a session's figures from their ranges, in widths; 0 inside, and where either is unknown."""
        outside = np.maximum(figures - self.high, self.low - figures) / self.width
        distances: Numbers = np.nan_to_num(np.maximum(outside, 0.0), nan=0.0)
        return distances


def ranges(data: Samples, first: int, last: int) -> Ranges:
    """Ranges over the sessions from one position to another, both included: all but one day in a hundred."""
    return ranges_of(daily_figures(data.between(first, last)), data.features)


def ranges_of(daily: Numbers, features: Sequence[str]) -> Ranges:
    """Ranges of ``daily_figures`` of some sessions."""
    with np.errstate(all="ignore"):
        low, high = _nan_quantiles(daily, _QUANTILES)
        usual = _nan_quantiles(daily, (0.5,))[0]
    # A range may be a single value; for a median the usual spread within a day is the least measure then.
    least = np.full(low.shape, _NARROWEST_SHARE)
    least[FIGURES.index("median")], least[_SPREAD] = np.exp(usual[_SPREAD]), _NARROWEST_LOG
    width = np.fmax(high - low, least)
    low[_ONE_SIDED] = 0.0
    return Ranges(tuple(features), low, high, width)


def daily_figures(data: Samples) -> Numbers:
    """``FIGURES`` of every feature on each session: sessions × figures × features; NaN where no share has a value."""
    days = [session_figures(data.values[rows]) for rows in day_slices(data.position)] if len(data) else []
    return np.asarray(days).reshape(len(days), len(FIGURES), len(data.features))


def session_figures(values: npt.NDArray[np.float32]) -> Numbers:
    """``FIGURES`` of one session's values, shares × features."""
    ordered = np.sort(values, axis=0).astype(np.float64)  # unknown ones come last
    known = np.isfinite(ordered).sum(axis=0)
    columns = np.arange(ordered.shape[1])
    quartiles = [ordered[np.maximum((known - 1) * part // 4, 0), columns] for part in (1, 2, 3)]
    with np.errstate(all="ignore"):
        frequent = np.where(known > 0, _longest_runs(ordered) / known, np.nan)
    spread = np.log(np.maximum(quartiles[2] - quartiles[0], _SMALLEST_SPREAD))
    return np.vstack([1 - known / len(ordered), quartiles[1], spread, frequent])


def drift(known: Ranges, tonight: Samples) -> Drift:
    """Compare a session's samples with the ranges of a fit."""
    figures = session_figures(tonight.only(known.features).values)
    distances = known.distances(figures)
    place = np.unravel_index(int(np.argmax(distances)), distances.shape)
    numbers = [float(table[place]) for table in (figures, known.low, known.high)]
    if place[0] == _SPREAD:
        numbers = [float(number) for number in np.exp(numbers)]
    return Drift(float(distances[place]), known.features[place[1]], FIGURES[place[0]], *numbers)


def _plain(table: Numbers) -> list[list[float | None]]:
    return [[float(number) if np.isfinite(number) else None for number in row] for row in table]


def _longest_runs(ordered: Numbers) -> Numbers:
    """Length of the longest run of equal values in each column."""
    starts = np.ones(ordered.shape, dtype=bool)
    starts[1:] = ordered[1:] != ordered[:-1]
    places = np.flatnonzero(starts.T)  # column after column
    lengths = np.diff(places, append=starts.size)
    column_starts = np.searchsorted(places, np.arange(ordered.shape[1]) * len(ordered))
    longest: Numbers = np.maximum.reduceat(lengths, column_starts).astype(np.float64)
    return longest


def _nan_quantiles(daily: Numbers, quantiles: Sequence[float]) -> Numbers:
    """Quantiles over the sessions; NaN where no session knows the figure."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        figures: Numbers = np.nanquantile(daily, quantiles, axis=0)
    return figures
