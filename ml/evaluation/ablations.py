"""What each group of features is worth: the linear part without it; pure.

The whole ensemble without a group takes as long as the ensemble itself, ten times over. Its linear members take a
fraction of that, see every feature and are fitted the same way, so that they stand in for the whole.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ml.features.registry import FEATURE_GROUPS
from ml.learning.estimators import ESTIMATORS, Estimator, Head
from ml.learning.samples import Samples


def _linear_members(head: Head) -> Head:
    return Head(tuple(group for group in head.groups if all(member.learner == "linear" for member in group)))


LINEAR_PART = Estimator(
    "linear part",
    "scale_free",
    return_head=_linear_members(ESTIMATORS["ensemble"].return_head),
    rank_head=_linear_members(ESTIMATORS["ensemble"].rank_head),
    risk_head=Head(()),
)
NOTE = "the linear part of the ensemble alone; each pair is with all features, day by day"
ALL_FEATURES, RANDOM_SECTORS = "all features", "random sectors"
PEER_GROUPS = ("sector", "industry")


def ablated(data: Samples) -> Mapping[str, tuple[str, ...]]:
    """Name of each ablation → the features that are left; the first has all of them."""
    groups = {group: tuple(name for name in names if name in data.features) for group, names in FEATURE_GROUPS.items()}
    without = {f"without {group}": {*names} for group, names in groups.items() if names}
    without["without peers"] = {name for group in PEER_GROUPS for name in groups.get(group, ())}
    left = {name: tuple(feature for feature in data.features if feature not in out) for name, out in without.items()}
    return {ALL_FEATURES: data.features, **left}


def random_groups(groups: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Sectors and industries of other shares, drawn at random among those that have one: the placebo of the peers."""
    known = groups.loc[groups["sector"].notna(), "symbol"].to_numpy()
    order = np.random.default_rng(seed).permutation(len(known))
    drawn = groups.set_index("symbol").loc[known[order], ["sector", "industry"]].reset_index(drop=True)
    return pd.concat([pd.DataFrame({"symbol": known}), drawn], axis=1)


def ablations_section(rows: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """The section: recipe, note, and rows: name → features (their number), ``figures.summary`` and ``pairs.paired``."""
    return {"recipe": LINEAR_PART.recipe, "note": NOTE, "rows": dict(rows)}
