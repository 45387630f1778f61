"""Training both models, against the contract's forest with its settings on the same rows."""

from ml.datasets import training_samples
from ml.learning.estimators import ESTIMATORS
from ml.learning.learners import FOREST_PARAMETERS, LEARNERS
from ml.learning.samples import Samples
from ml.learning.targets import TARGETS
from ml.learning.walk_forward import Window, fit_members, training_rows
from tests.benchmarks.market import Market
from tests.benchmarks.measuring import Figure, Pair, alternated
from tests.benchmarks.place import Place

TREES = 5
"""Trees of the contract's forest that are timed; a whole forest takes many minutes."""


def figures(place: Place, market: Market, rounds: int) -> list[Figure]:
    """All members of the nightly fit, against the contract's two forests on the same sessions."""
    market.fill(place)
    ours, forest = ESTIMATORS["ensemble"], ESTIMATORS["random_forest"]
    place.say("training: reading samples")
    mine, theirs = (training_samples(market.last, chosen) for chosen in (ours, forest))
    if not mine.keys[["symbol", "date"]].equals(theirs.keys[["symbol", "date"]]):
        raise RuntimeError("The two feature sets have different rows; the comparison would mean nothing.")
    window = Window(int(mine.position[-1]))

    def both_forests() -> None:
        # As the registry fits it, n_jobs=-1 included, with fewer trees.
        size = TREES / FOREST_PARAMETERS["n_estimators"]
        for member in forest.members:
            rows = training_rows(theirs, member, window)
            target = TARGETS[member.target](rows.position, rows.keys[member.outcome].to_numpy(dtype="float64"))
            LEARNERS[member.learner].fit(rows.values, target, 1, size)

    rows = _rows(mine, window)
    place.say(f"training: {rows:,} rows")
    nightly = alternated(lambda: fit_members(mine, ours.members, window), both_forests, rounds, say=place.say)
    note = (
        f"{rows:,} rows; ours {len(ours.members)} models of {len(mine.features)} features;"
        f" the forest timed on {TREES} of {FOREST_PARAMETERS['n_estimators']} trees of {len(theirs.features)} features"
        f" and scaled by {forest_scale():.1f}: waves of trees on {processors()} processors"
    )
    return [_figure("training, both heads and risk: speed / contract's forests", nightly, f"{note}.")]


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


def _figure(name: str, pair: Pair, note: str) -> Figure:
    ours, theirs = pair.seconds()
    return Figure(
        name, pair.faster(forest_scale()), ours, f"{theirs} × {forest_scale():.1f}", target=20, aim=60, note=note
    )
