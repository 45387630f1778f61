"""Training both heads and the risk model, against a time limit and against the contract's forest on the same rows."""

import statistics
import time

import numpy as np

from ml.datasets import training_samples
from ml.learning.estimators import ESTIMATORS
from ml.learning.learners import FOREST_PARAMETERS, LEARNERS
from ml.learning.samples import Samples
from ml.learning.targets import TARGETS
from ml.learning.walk_forward import Window, fit_members, training_rows
from tests.benchmarks.market import Market
from tests.benchmarks.measuring import Figure, Pair, alternated, in_seconds
from tests.benchmarks.place import Place

TREES = 5
"""Trees of the contract's forest that are timed; a whole forest takes many minutes."""
NIGHT_ROWS, NIGHT_SECONDS = 650_000, 60.0
WHOLE_SECONDS = 90.0
"""Limit for all rows, about a million of three years."""


def figures(place: Place, market: Market, rounds: int) -> list[Figure]:
    """All members of the nightly fit on all rows; on the newest of them, against the contract's two forests."""
    market.fill(place)
    ours, forest = ESTIMATORS["ensemble"], ESTIMATORS["random_forest"]
    place.say("training: reading samples")
    mine, theirs = (training_samples(market.last, chosen) for chosen in (ours, forest))
    if not mine.keys[["symbol", "date"]].equals(theirs.keys[["symbol", "date"]]):
        raise RuntimeError("The two feature sets have different rows; the comparison would mean nothing.")
    whole = Window(int(mine.position[-1]))
    night = Window(whole.at, first=_first_of_the_newest(mine, whole, NIGHT_ROWS))

    def both_forests() -> None:
        # As the registry fits it, n_jobs=-1 included, with fewer trees.
        size = TREES / FOREST_PARAMETERS["n_estimators"]
        for member in forest.members:
            rows = training_rows(theirs, member, night)
            target = TARGETS[member.target](rows.position, rows.keys[member.outcome].to_numpy(dtype="float64"))
            LEARNERS[member.learner].fit(rows.values, target, 1, size)

    rows, night_rows = _rows(mine, whole), _rows(mine, night)
    place.say(f"training: {rows:,} rows, and the newest {night_rows:,} of them")
    times, processor = zip(*(_timed(mine, whole) for _ in range(rounds)), strict=True)
    place.say(f"all rows: {', '.join(map(in_seconds, times))}; processor: {', '.join(map(in_seconds, processor))}")
    nightly = alternated(lambda: fit_members(mine, ours.members, night), both_forests, rounds, say=place.say)
    models = f"{len(ours.members)} models of {len(mine.features)} features on {processors()} processors"
    note = (
        f"{night_rows:,} rows; ours {models};"
        f" the forest timed on {TREES} of {FOREST_PARAMETERS['n_estimators']} trees of {len(theirs.features)} features"
        f" and scaled by {forest_scale():.1f}: waves of trees"
    )
    used = f"{models}, {in_seconds(statistics.median(processor))} of processor time"
    return [
        _limited(f"training, {rows:,} rows", times, WHOLE_SECONDS, used),
        _limited(f"training, {night_rows:,} rows", nightly.ours, NIGHT_SECONDS, models),
        _figure("training, both heads and risk: speed / contract's forests", nightly, f"{note}."),
    ]


def _first_of_the_newest(data: Samples, window: Window, rows: int) -> int:
    """Position from which on the window has about so many rows, or all of them."""
    positions = data.between(window.first, window.last).position
    return int(positions[np.searchsorted(positions, positions[max(len(positions) - rows, 0)])])


def _timed(data: Samples, window: Window) -> tuple[float, float]:
    """Seconds, and seconds of processor time, of all members' fits."""
    begun, used = time.perf_counter(), time.process_time()
    fit_members(data, ESTIMATORS["ensemble"].members, window)
    return time.perf_counter() - begun, time.process_time() - used


def _rows(data: Samples, window: Window) -> int:
    return len(data.between(window.first, window.last))


def forest_scale() -> float:
    """How many times longer the whole forest takes: trees are fitted in waves, one a processor."""
    return _waves(FOREST_PARAMETERS["n_estimators"]) / _waves(TREES)


def _waves(trees: int) -> int:
    return -(-trees // processors())


def processors() -> int:
    """Processors that n_jobs=-1 uses."""
    from joblib import cpu_count

    return int(cpu_count())


def _limited(name: str, times: "tuple[float, ...] | list[float]", limit: float, note: str) -> Figure:
    return Figure(
        f"{name} / {limit:.0f} s",
        tuple(seconds / limit for seconds in times),
        in_seconds(statistics.median(times)),
        f"{limit:.0f} s",
        target=1.0,
        at_least=False,
        note=f"{note}.",
    )


def _figure(name: str, pair: Pair, note: str) -> Figure:
    ours, theirs = pair.seconds()
    return Figure(
        name, pair.faster(forest_scale()), ours, f"{theirs} × {forest_scale():.1f}", target=20, aim=60, note=note
    )
