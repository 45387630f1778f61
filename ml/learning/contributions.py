"""Why a share has its score: what each feature adds to the return head, in the score's own unit; pure.

Boosted trees are taken apart by Shapley values (Lundberg and Lee 2017, exact for trees), the linear model by its terms.
Contributions are those of a share less those of the day's mean share, so that they say what sets it apart that day.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml.features.registry import FEATURE_GROUPS
from ml.learning.learners import Fitted, is_booster
from ml.learning.linear import LinearModel
from ml.learning.samples import Samples, day_percentiles
from ml.learning.training import Bundle
from ml.learning.walk_forward import part_scores

Numbers = npt.NDArray[np.float64]

LEADING = 4


def contributions(bundle: Bundle, data: Samples) -> pd.DataFrame | None:
    """What each feature adds to the scores of one session's shares.

    Returns
    -------
    DataFrame or None
        Rows of ``data`` × features; each row sums to the share's score of ``raw_predictions``. None for an estimator
        whose models cannot be taken apart (a random forest).

    Notes
    -----
    A group's prediction enters the score by its rank. Its contributions are therefore scaled by what the normal score
    of that rank is of the prediction less the day's mean; of a share at the mean they share the score out evenly.
    """
    groups = []
    for group in bundle.estimator.return_head.groups:
        parts = [_model_contributions(bundle.fits[member], data) for member in group]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return None
        predictions = np.mean([part_scores(bundle.fits[member], data, member) for member in group], axis=0)
        groups.append(_in_score_units(np.mean(known, axis=0), data, predictions))
    return pd.DataFrame(np.mean(groups, axis=0), index=data.keys["symbol"], columns=list(data.features))


def _model_contributions(fit: Fitted, data: Samples) -> Numbers | None:
    if isinstance(fit, LinearModel):
        return fit.contributions(data.ranks)
    if is_booster(fit):
        # The last column is the mean prediction, the same for all.
        return np.asarray(fit.predict(data.values, pred_contrib=True, num_threads=1), dtype=np.float64)[:, :-1]
    return None


def _in_score_units(parts: Numbers, data: Samples, predictions: Numbers) -> Numbers:
    from scipy.special import ndtri

    score = ndtri(day_percentiles(data.position, predictions))
    apart = parts - parts.mean(axis=0)
    total = apart.sum(axis=1)
    near = np.abs(total) < 1e-9
    scaled = apart * np.where(near, 0.0, score / np.where(near, 1.0, total))[:, None]
    result: Numbers = scaled + np.where(near, score / parts.shape[1], 0.0)[:, None]
    return result


def sentences(bundle: Bundle, data: Samples) -> list[str]:
    """For each share what moves its score most; empty texts where `contributions` has none."""
    parts = contributions(bundle, data)
    if parts is None:
        return [""] * len(data)
    words = leading_words(parts, pd.DataFrame(data.values, columns=list(data.features)))
    scores = parts.sum(axis=1)
    return [f"The model's score of {score:+.2f} comes from {text}." for score, text in zip(scores, words, strict=True)]


def leading_words(parts: pd.DataFrame, values: pd.DataFrame) -> list[str]:
    """The groups of features that move each share's score most, in words and numbers that add up to it.

    Features of a group say much the same in different ways, so their contributions partly cancel: the sum of a group
    is what it adds. Each comes with the feature of the same sign that moves most; `values` are the features' own, in
    the rows and columns of `parts`.
    """
    own, known = parts.to_numpy(dtype=np.float64), values.to_numpy(dtype=np.float64)
    columns = {group: np.flatnonzero(parts.columns.isin(names)) for group, names in FEATURE_GROUPS.items()}
    groups = [group for group in columns if len(columns[group])]
    sums = np.column_stack([own[:, columns[group]].sum(axis=1) for group in groups])
    order = np.argsort(-np.abs(sums), axis=1, kind="stable")[:, :LEADING]
    texts = []
    for row, leading in enumerate(order):
        named = []
        for place in leading:
            inside = columns[groups[place]]
            strongest = inside[np.argmax(own[row, inside] * np.sign(sums[row, place]))]
            value = "unknown" if np.isnan(known[row, strongest]) else f"{known[row, strongest]:.3g}"
            name = parts.columns[strongest].replace("_", " ")
            named.append(f"{groups[place]} {sums[row, place]:+.2f} ({name} {value})")
        texts.append(f"{', '.join(named)}, all else {own[row].sum() - sums[row, leading].sum():+.2f}")
    return texts
