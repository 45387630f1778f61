"""How a figure is measured: two ways of doing the same, alternated in one run, and the ratio of each round."""

import gc
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import psutil

Unit = Literal["×", "MB", "ms", "/s"]
_SAMPLED_EVERY_SECONDS = 0.05


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes
    ----------
    name
        What was measured, as `ours / theirs`.
    ratios
        One a round, in the order measured.
    ours, theirs
        What the ratio was made of, in words ("12.3 s").
    target, aim
        Bounds of the median; None where the figure only informs.
    at_least
        Whether more is better.
    note
        What one must know to read it.
    """

    name: str
    ratios: tuple[float, ...]
    ours: str
    theirs: str
    target: float | None = None
    aim: float | None = None
    at_least: bool = True
    note: str = ""

    @property
    def median(self) -> float:
        """Median of the rounds' ratios."""
        return statistics.median(self.ratios)

    @property
    def spread(self) -> tuple[float, float]:
        """Smallest and largest ratio."""
        return min(self.ratios), max(self.ratios)

    @property
    def verdict(self) -> str:
        """Whether the median keeps the target and the aim; empty where there is none."""
        if self.target is None:
            return ""
        if self._keeps(self.aim if self.aim is not None else self.target):
            return "aim met" if self.aim is not None else "met"
        return "met" if self._keeps(self.target) else "MISSED"

    def _keeps(self, bound: float) -> bool:
        return self.median >= bound if self.at_least else self.median <= bound

    def as_json(self) -> dict[str, Any]:
        """Plain values of everything."""
        low, high = self.spread
        return {
            "name": self.name,
            "median": self.median,
            "low": low,
            "high": high,
            "rounds": list(self.ratios),
            "ours": self.ours,
            "theirs": self.theirs,
            "target": self.target,
            "aim": self.aim,
            "better": "more" if self.at_least else "less",
            "verdict": self.verdict,
            "note": self.note,
        }


@dataclass
class Pair:
    """Seconds of two alternated ways, round by round."""

    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)

    def slower(self, scale: float = 1.0) -> tuple[float, ...]:
        """How many times longer ours took; `scale` multiplies theirs."""
        return tuple(a / (b * scale) for a, b in zip(self.ours, self.theirs, strict=True))

    def faster(self, scale: float = 1.0) -> tuple[float, ...]:
        """Speed of ours over speed of theirs; `scale` multiplies the seconds of theirs."""
        return tuple(b * scale / a for a, b in zip(self.ours, self.theirs, strict=True))

    def seconds(self) -> tuple[str, str]:
        """Medians in words."""
        return in_seconds(statistics.median(self.ours)), in_seconds(statistics.median(self.theirs))


def alternated(
    ours: Callable[[], object],
    theirs: Callable[[], object],
    rounds: int,
    *,
    before: Callable[[], object] = lambda: None,
    say: Callable[[str], None] = lambda line: None,
) -> Pair:
    """Time A B A B …, each after an untimed `before`, and once unseen to warm up where it is cheap.

    Parameters
    ----------
    ours, theirs
        What is timed.
    rounds
        How often each.
    before
        Puts things back; not timed.
    say
        Hears about each round.
    """
    pair = Pair()
    for number in range(1, rounds + 1):
        for way, times in ((ours, pair.ours), (theirs, pair.theirs)):
            before()
            gc.collect()
            begun = time.perf_counter()
            way()
            times.append(time.perf_counter() - begun)
        say(f"round {number} of {rounds}: {in_seconds(pair.ours[-1])} against {in_seconds(pair.theirs[-1])}")
    return pair


def in_seconds(seconds: float) -> str:
    """Return a duration in words."""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


def peak_memory(command: Sequence[str], environment: dict[str, str]) -> tuple[int, str]:
    """Run a command to its end.

    Returns
    -------
    tuple
        Largest resident memory of its process tree in bytes (sampled each 50 ms; shared pages count once for each
        process), and its standard output.

    Raises
    ------
    RuntimeError
        It failed; with the end of what it said.
    """
    peak = 0
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        ended = threading.Event()

        def watch() -> None:
            nonlocal peak
            while not ended.wait(_SAMPLED_EVERY_SECONDS):
                peak = max(peak, _tree_memory(child.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            output, errors = child.communicate()
        except BaseException:
            child.terminate()
            raise
        finally:
            ended.set()
            watcher.join()
    if child.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {child.returncode}:\n{errors[-2000:]}")
    return peak, output


def _tree_memory(pid: int) -> int:
    try:
        root = psutil.Process(pid)
        processes = [root, *root.children(recursive=True)]
    except psutil.Error:
        return 0
    total = 0
    for process in processes:
        try:
            total += process.memory_info().rss
        except psutil.Error:
            continue  # ended meanwhile
    return total
