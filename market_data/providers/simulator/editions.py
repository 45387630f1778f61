"""Editions of the simulated files: whether a session's file is published yet, and what is misprinted in it.

The market itself (``market``) makes no mistakes; its publisher does, if configured. A file is viewed as of the latest
requested day: late files arrive, and first editions are corrected.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from market_data.providers.simulator.incidents import FILE_KINDS, Kind, Placed
from market_data.providers.simulator.market import PRICES

_FIGURES = (*PRICES, "volume", "trades", "delivered_quantity", "turnover_lakh")
_WRONG_EVERY = 20
"""One row in so many of a first edition is corrected later."""


class Editions:
    """The files of a market by session index; of its incidents, those of files and figures count here."""

    def __init__(self, seed: int, incidents: Sequence[Placed]) -> None:
        self._seed = seed
        self._of_files = {incident.at: incident for incident in incidents if incident.kind in FILE_KINDS}
        self._of_figures = [incident for incident in incidents if incident.kind in ("revision", "frozen", "unit_error")]

    def is_published(self, at: int, viewed_at: int) -> bool:
        """Whether a session's file is published when viewed on another session."""
        incident = self._of_files.get(at)
        if incident is None or incident.kind not in ("late", "missing"):
            return True
        return incident.kind == "late" and viewed_at >= at + incident.length

    def is_first(self, at: int, viewed_at: int) -> bool:
        """Whether the file is an edition that will be corrected."""
        return self._is(at, "correction") and viewed_at < at + self._of_files[at].length

    def published_at(self, at: int, viewed_at: int) -> int:
        """Return the session on which the edition viewed on another session was published."""
        incident = self._of_files.get(at)
        waits = incident is not None and incident.kind in ("late", "correction") and not self.is_first(at, viewed_at)
        return at + incident.length if incident is not None and waits else at

    def repeats(self, at: int) -> bool:
        """Whether the file repeats the previous session."""
        return at > 0 and self._is(at, "repeat")

    def frozen(self, at: int) -> list[tuple[int, int]]:
        """Return the place of each share whose bar is repeated, and the session it comes from."""
        return [
            (incident.place, incident.at - 1)
            for incident in self._of_figures
            if incident.kind == "frozen" and 0 < incident.at <= at < incident.at + incident.length
        ]

    def misprinted(self, frame: pd.DataFrame, at: int, *, first: bool) -> pd.DataFrame:
        """Return a session's frame (one row per place) with its misprints and corrections."""
        for incident in self._of_figures:
            if incident.at == at and incident.kind == "revision":
                frame = _revised(frame, np.array([incident.place]))
            elif incident.at == at and incident.kind == "unit_error":
                columns = [column for column in PRICES if column != "prev_close"]
                frame.loc[incident.place, columns] *= incident.ratio[0] / incident.ratio[1]
        if first:
            start = np.random.default_rng([self._seed, 7, at]).integers(_WRONG_EVERY)
            frame = _revised(frame, np.arange(start, len(frame), _WRONG_EVERY))
        return frame

    def _is(self, at: int, kind: Kind) -> bool:
        return at in self._of_files and self._of_files[at].kind == kind


def reprinted(frame: pd.DataFrame, before: pd.DataFrame, place: int) -> pd.DataFrame:
    """Return the frame with one share's figures of another session."""
    columns: list[Any] = list(_FIGURES)
    frame.loc[place, columns] = before.loc[place, columns]
    return frame


def as_bytes(frame: pd.DataFrame) -> bytes:
    """Return bytes that differ whenever a figure differs."""
    numbers = frame.select_dtypes("number").astype("float64").to_numpy()
    words: list[str] = (frame["symbol"] + frame["series"] + frame["isin"]).tolist()
    figures: bytes = np.nan_to_num(numbers).tobytes()
    return "\n".join(words).encode() + figures


def _revised(frame: pd.DataFrame, places: "np.ndarray[Any, np.dtype[np.int64]]") -> pd.DataFrame:
    """Return the frame with a higher high, another close within the range and more volume in some rows."""
    rows = frame.loc[places]
    high = (rows["high"] * 1.02 * 20).round() / 20
    close = ((rows["low"] + rows["close"]) * 10).round() / 20
    frame.loc[places, "high"] = np.maximum(high, rows["high"])
    frame.loc[places, "close"] = close.clip(rows["low"], frame.loc[places, "high"])
    frame.loc[places, "volume"] = rows["volume"] + rows["volume"] // 10 + 1
    return frame
