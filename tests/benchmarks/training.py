"""Training both models, against the contract's forest with its settings on the same rows."""

from functools import partial

import pandas as pd

from ml.datasets import training_samples
from ml.learning.estimators import ESTIMATORS, FOREST_PARAMETERS, limited_drawdown
from ml.learning.labels import EXIT_DELAY
from ml.learning.samples import Samples
from ml.learning.training import fit_bundle
from ml.learning.walk_forward import ensembles, fit_ensembles
from tests.benchmarks.market import Market
from tests.benchmarks.measuring import Figure, Pair, alternated
from tests.benchmarks.place import Place

LOOKBACK_DAYS = 365
TREES = 5
"""Trees of the contract's forest that are timed; a whole forest takes many minutes."""


def figures(place: Place, market: Market, rounds: int) -> list[Figure]:
    """Both models alone, and the nightly fit with its calibration folds."""
    market.fill(place)
    ours, forest = ESTIMATORS["lightgbm"], ESTIMATORS["random_forest"]
    place.say("training: reading samples")
    whole = training_samples(market.last, LOOKBACK_DAYS, ours)
    theirs = window(training_samples(market.last, LOOKBACK_DAYS, forest), market)
    mine = window(whole, market)
    if not mine.keys[["symbol", "date"]].equals(theirs.keys[["symbol", "date"]]):
        raise RuntimeError("The two feature sets have different rows; the comparison would mean nothing.")

    def both_forests() -> None:
        # As the registry fits it, n_jobs=-1 included, with fewer trees.
        size = TREES / FOREST_PARAMETERS["n_estimators"]
        for outcome, target in (("forward_return", forest.price_target), ("drawdown", limited_drawdown)):
            known = theirs.where(theirs.keys[outcome].notna().to_numpy())
            forest.fit(known.values, target(known), 1, size)

    place.say(f"training: {len(mine):,} rows")
    both = alternated(
        lambda: fit_ensembles(mine, ours, ensembles(ours, published=True)), both_forests, rounds, say=place.say
    )
    nightly = alternated(
        partial(fit_bundle, whole, ours, market.last, LOOKBACK_DAYS), both_forests, rounds, say=place.say
    )
    rows = f"{len(mine):,} rows; ours {len(ours.price_members)} + {len(ours.risk_members)} boosted models"
    note = (
        f"the forest timed on {TREES} of {FOREST_PARAMETERS['n_estimators']} trees of {len(theirs.features)} features"
        f" and scaled by {forest_scale():.1f}: waves of trees on {processors()} processors"
    )
    return [
        _figure("training, both models: speed / contract's forest", both, f"{rows}; {note}."),
        _figure(
            "training, with calibration folds: speed / contract's forest",
            nightly,
            "The whole nightly fit, twelve smaller models of past windows included; the forest without any.",
        ),
    ]


def window(data: Samples, market: Market) -> Samples:
    """The rows that a nightly fit learns from."""
    here = int(data.sessions.searchsorted(pd.Timestamp(market.last), side="right")) - 1
    first = int(data.sessions.searchsorted(pd.Timestamp(market.last) - pd.Timedelta(days=LOOKBACK_DAYS)))
    return data.between(first, here - EXIT_DELAY)


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
