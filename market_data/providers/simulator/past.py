"""The generated past of a simulated market, in blocks of sessions, so that ten years need the memory of weeks.

Each session follows from the previous one, so a late one would need all before it. The state between two blocks is
cached, in memory and, with a folder, on disk: another process then starts at the nearest block instead of the first
session. The file's name is a digest of everything the state follows from, so that a market with another seed, size or
earlier incident never reads it.
"""

import dataclasses
import hashlib
import io
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from market_data.providers.simulator.companies import Companies
from market_data.providers.simulator.incidents import Placed
from market_data.providers.simulator.market import (
    PRICES,
    History,
    State,
    continue_history,
    first_state,
    price_factors,
    status,
)
from stocks.storage.durable_files import replace_file

BLOCK_SESSIONS = 50
_BLOCKS_KEPT = 3
"""More than one, since a file that repeats an earlier session may look back into the previous block."""

_Number = TypeVar("_Number", bound=np.generic)


class Rows(Generic[_Number]):
    """One array of the past as if it were whole: indexed by session."""

    def __init__(self, chronicle: "GeneratedPast", array_of: Callable[[History], npt.NDArray[_Number]]) -> None:
        self._chronicle, self._array_of = chronicle, array_of

    def __getitem__(self, at: int) -> npt.NDArray[_Number]:
        values: npt.NDArray[_Number] = self._array_of(self._chronicle.block(at // BLOCK_SESSIONS))[at % BLOCK_SESSIONS]
        return values


class GeneratedPast:
    """What a market published, generated block by block on request; takes all days of the market.

    ``folder`` is the cache of the states between blocks for other processes; None keeps them in this one.
    """

    def __init__(
        self,
        market: Companies,
        seed: int,
        days: Sequence[date],
        incidents: Sequence[Placed],
        folder: Path | None = None,
    ) -> None:
        self._market, self._seed, self._days, self._folder = market, seed, days, folder
        self._incidents = sorted(incidents, key=lambda incident: incident.at)
        self._states: dict[int, State] = {0: first_state(market)}
        self._blocks: OrderedDict[int, History] = OrderedDict()
        self.prices = {name: self._prices(name) for name in PRICES}
        self.volume, self.trades = Rows(self, lambda block: block.volume), Rows(self, lambda block: block.trades)
        self.delivered, self.status = Rows(self, lambda block: block.delivered), Rows(self, lambda block: block.status)

    def block(self, number: int) -> History:
        """Return a block of sessions; the last few stay in memory."""
        if number not in self._blocks:
            self._blocks[number] = self._generate(number)
            if len(self._blocks) > _BLOCKS_KEPT:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(number)
        return self._blocks[number]

    def digest(self, at: int) -> str:
        """Return a digest of everything that the past up to a session follows from."""
        return self._digests[min(at, len(self._digests) - 1)]

    def _prices(self, name: str) -> Rows[np.int32]:
        return Rows(self, lambda block: block.prices[name])

    def _generate(self, number: int) -> History:
        nearest = next(block for block in range(number, -1, -1) if self._has_state(block))
        for block in range(nearest, number):
            self._run(block)
        return self._run(number)

    def _run(self, number: int) -> History:
        start = number * BLOCK_SESSIONS
        state = dataclasses.replace(self._states[number])
        rows = self._status[start : start + BLOCK_SESSIONS].copy()
        sessions = continue_history(self._market, self._seed, self._days, start, rows, state, self._factors)
        self._store_state(number + 1, state)
        return sessions

    @cached_property
    def _status(self) -> npt.NDArray[np.int8]:
        return status(self._market, len(self._days), self._incidents)

    @cached_property
    def _factors(self) -> dict[int, dict[int, float]]:
        return price_factors(len(self._days), self._incidents)

    @cached_property
    def _digests(self) -> list[str]:
        """For each session, the digest of seed, securities and all incidents up to it."""
        running = hashlib.sha256(f"{self._seed} {len(self._market)} {self._days[0]}".encode())
        running.update(self._market.lists_at.tobytes())
        digests, place = [], 0
        for at in range(len(self._days)):
            while place < len(self._incidents) and self._incidents[place].at <= at:
                running.update(repr(tuple(self._incidents[place])).encode())
                place += 1
            digests.append(running.hexdigest())
        return digests

    def _path(self, number: int) -> Path | None:
        start = number * BLOCK_SESSIONS
        return self._folder / f"{start}-{self.digest(start - 1)[:32]}.npz" if self._folder else None

    def _has_state(self, number: int) -> bool:
        path = self._path(number) if number else None
        return number in self._states or (path is not None and path.is_file() and self._load(number, path))

    def _load(self, number: int, path: Path) -> bool:
        """Read a cached state; an unreadable one is generated again."""
        try:
            with np.load(io.BytesIO(path.read_bytes())) as kept:
                values: dict[str, Any] = {
                    field.name: kept[field.name] if kept[field.name].ndim else float(kept[field.name])
                    for field in dataclasses.fields(State)
                }
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return False
        self._states[number] = State(**values)
        return True

    def _store_state(self, number: int, state: State) -> None:
        self._states[number] = state
        path = self._path(number)
        if path is None or path.is_file():
            return
        with replace_file(path) as temporary:
            np.savez(temporary, **{field.name: getattr(state, field.name) for field in dataclasses.fields(State)})
