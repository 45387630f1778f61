"""Predictions of a bundle for the shares of one session."""

import numpy as np
import pandas as pd

from ml.learning.calibration import confidence, risk_score
from ml.learning.samples import day_percentiles
from ml.learning.training import Bundle
from ml.learning.walk_forward import member_predictions

PREDICTION_COLUMNS = (
    *("symbol", "date", "score", "ml_prediction_score", "predicted_return"),
    *("ml_confidence", "ml_probability", "predicted_drawdown", "ml_risk_score"),
)


class FeaturesDiffer(ValueError):
    """The given features are not those that the bundle was fitted on."""


def predict(bundle: Bundle, features: pd.DataFrame) -> pd.DataFrame:
    """Predict one session's tradable shares.

    Parameters
    ----------
    features
        symbol, date and the bundle's features of one session's tradable universe, to which percentiles refer.

    Returns
    -------
    DataFrame
        ``PREDICTION_COLUMNS``, one row per row given, same order and index.
        score: mean prediction of the ensemble (its target's unit; for ranking only);
        ml_prediction_score: percentile of the score, 0-1, higher is better;
        predicted_return: calibrated ten-session return in excess of the day's mean share, plain;
        ml_confidence: agreement of the members, 0-1; ml_probability: of beating the day's median share, 0-1;
        predicted_drawdown: calibrated, plain, at most 0; ml_risk_score: 0-1, lower is safer.

    Raises
    ------
    FeaturesDiffer
        A feature of the bundle is missing, or the rows are of more than one session.

    Notes
    -----
    Point in time: uses these rows only. The same bundle and rows give bitwise equal predictions.
    """
    missing = [name for name in bundle.features if name not in features.columns]
    if missing:
        raise FeaturesDiffer(f"The model needs features that are missing: {', '.join(missing)}.")
    if features["date"].nunique() > 1:
        raise FeaturesDiffer("Percentiles are within one session: pass the rows of one date.")
    result = features[["symbol", "date"]].copy()
    if features.empty:
        return result.reindex(columns=list(PREDICTION_COLUMNS))
    values = features[list(bundle.features)].to_numpy(dtype=np.float32)
    day = np.zeros(len(values), dtype=np.int64)
    price = member_predictions(bundle.price, values)
    score = price.mean(axis=1)
    percentile = day_percentiles(day, score)
    curves = bundle.calibration
    drawdown = curves.drawdown(day_percentiles(day, member_predictions(bundle.risk, values).mean(axis=1)))
    result["score"] = score
    result["ml_prediction_score"] = percentile
    result["predicted_return"] = curves.excess_return(percentile)
    result["ml_confidence"] = confidence(np.column_stack([day_percentiles(day, column) for column in price.T]))
    result["ml_probability"] = curves.probability(percentile)
    result["predicted_drawdown"] = drawdown
    result["ml_risk_score"] = risk_score(drawdown)
    return result
