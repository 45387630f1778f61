"""What the simulated files bear: whether a session's file lies there yet, and what is printed wrong in it.

The market itself (``market``) makes no mistake; its publisher does, where it is told to. A file is judged as of the
latest day that was asked for: what is late arrives, and a first edition is put right.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from market_data.providers.simulator.incidents import FILE_KINDS, Kind, Placed
from market_data.providers.simulator.market import PRICES

_FIGURES = (*PRICES, "volume", "trades", "delivered_quantity", "turnover_lakh")
_WRONG_EVERY = 20
"""One row in so many of a first edition is corrected by the later one."""


class Editions:
    """The files of a market by session index.

    Parameters
    ----------
    seed
        Of the market.
    incidents
        All that happens to it; those of files and of figures count here.
    """

    def __init__(self, seed: int, incidents: Sequence[Placed]) -> None:
        self._seed = seed
        self._of_files = {one.at: one for one in incidents if one.kind in FILE_KINDS}
        self._of_figures = [one for one in incidents if one.kind in ("revision", "frozen", "unit_error")]

    def lies_there(self, at: int, looked_at: int) -> bool:
        """Whether the file of a session is there when one looks on another session."""
        trouble = self._of_files.get(at)
        if trouble is None or trouble.kind not in ("late", "missing"):
            return True
        return trouble.kind == "late" and looked_at >= at + trouble.length

    def is_first(self, at: int, looked_at: int) -> bool:
        """Whether the file is an edition that will be corrected."""
        return self._is(at, "correction") and looked_at < at + self._of_files[at].length

    def published_at(self, at: int, looked_at: int) -> int:
        """Return the session on which the edition came out that one sees on another session."""
        trouble = self._of_files.get(at)
        waits = trouble is not None and trouble.kind in ("late", "correction") and not self.is_first(at, looked_at)
        return at + trouble.length if trouble is not None and waits else at

    def repeats(self, at: int) -> bool:
        """Whether the file holds the session before once more."""
        return at > 0 and self._is(at, "repeat")

    def frozen(self, at: int) -> list[tuple[int, int]]:
        """Return the place of each share whose bar is printed again, and the session it comes from."""
        return [
            (one.place, one.at - 1)
            for one in self._of_figures
            if one.kind == "frozen" and 0 < one.at <= at < one.at + one.length
        ]

    def misprinted(self, frame: pd.DataFrame, at: int, *, first: bool) -> pd.DataFrame:
        """Return a session's frame (one row a place) with what is printed wrong, or put right, in it."""
        for one in self._of_figures:
            if one.at == at and one.kind == "revision":
                frame = _revised(frame, np.array([one.place]))
            elif one.at == at and one.kind == "unit_error":
                columns = [column for column in PRICES if column != "prev_close"]
                frame.loc[one.place, columns] *= one.ratio[0] / one.ratio[1]
        if first:
            start = np.random.default_rng([self._seed, 7, at]).integers(_WRONG_EVERY)
            frame = _revised(frame, np.arange(start, len(frame), _WRONG_EVERY))
        return frame

    def _is(self, at: int, kind: Kind) -> bool:
        return at in self._of_files and self._of_files[at].kind == kind


def reprinted(frame: pd.DataFrame, before: pd.DataFrame, place: int) -> pd.DataFrame:
    """Give one share the figures that it had in another session's frame."""
    columns: list[Any] = list(_FIGURES)
    frame.loc[place, columns] = before.loc[place, columns]
    return frame


def as_bytes(frame: pd.DataFrame) -> bytes:
    """Return what a file of these bars would hold, as bytes that differ when any figure does."""
    numbers = frame.select_dtypes("number").astype("float64").to_numpy()
    words: list[str] = (frame["symbol"] + frame["series"] + frame["isin"]).tolist()
    figures: bytes = np.nan_to_num(numbers).tobytes()
    return "\n".join(words).encode() + figures


def _revised(frame: pd.DataFrame, places: "np.ndarray[Any, np.dtype[np.int64]]") -> pd.DataFrame:
    """Give rows a higher high, another close inside the range, more volume."""
    rows = frame.loc[places]
    high = (rows["high"] * 1.02 * 20).round() / 20
    close = ((rows["low"] + rows["close"]) * 10).round() / 20
    frame.loc[places, "high"] = np.maximum(high, rows["high"])
    frame.loc[places, "close"] = close.clip(rows["low"], frame.loc[places, "high"])
    frame.loc[places, "volume"] = rows["volume"] + rows["volume"] // 10 + 1
    return frame
