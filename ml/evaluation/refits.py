"""What it costs that a walk-forward refits less often than the night does; pure."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from ml.evaluation import figures
from ml.evaluation.figures import Days
from ml.evaluation.pairs import paired
from ml.evaluation.report import PredictionStore, Span, walk_forward_past
from ml.evaluation.tranches import Rule
from ml.learning.estimators import Estimator
from ml.learning.samples import Samples
from ml.learning.walk_forward import SCORES


def refits_compared(
    data: Samples,
    estimator: Estimator,
    span: Span,
    rule: Rule,
    store: PredictionStore,
    on_progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Predict a span twice, by models refitted every session and by those of a walk-forward, and compare.

    Every session is a walk-forward of one session, as the nightly fit makes it; each is kept, so that an interrupted
    comparison goes on.

    Returns
    -------
    dict
        Plain JSON: first, last, sessions, nightly and folds (``figures.summary``), paired (nightly less folds),
        rank_correlation (mean over the days, of the return head's scores).
    """
    folds = walk_forward_past(data, estimator, span, store)
    nights = []
    for position in np.unique(folds["position"]):
        nights.append(walk_forward_past(data, estimator, Span(int(position), int(position)), store))
        on_progress(f"{len(nights)} of {folds['position'].nunique()} sessions refitted")
    nightly = pd.concat(nights, ignore_index=True)
    of_nights, of_folds = Days.of(nightly, rule), Days.of(folds, rule)
    return {
        "first": data.sessions[span.first].date().isoformat(),
        "last": data.sessions[span.last].date().isoformat(),
        "sessions": len(nights),
        "nightly": figures.summary(nightly, rule, of_nights),
        "folds": figures.summary(folds, rule, of_folds),
        "paired": paired(of_nights, of_folds, data.sessions),
        "rank_correlation": _rank_correlation(nightly, folds),
    }


def _rank_correlation(nightly: pd.DataFrame, folds: pd.DataFrame) -> float:
    columns = ["symbol", "position", SCORES[0]]
    both = nightly[columns].merge(folds[columns], on=["symbol", "position"], suffixes=("_nightly", "_folds"))
    days = both.groupby("position")[["score_nightly", "score_folds"]]
    return float(days.corr(method="spearman").xs("score_nightly", level=1)["score_folds"].mean())
