"""What a pick says of a share: calibrated figures of raw predictions; pure."""

import pandas as pd

from ml.learning.calibration import CALIBRATED, calibrated
from ml.learning.samples import Samples
from ml.learning.training import Bundle
from ml.learning.walk_forward import raw_predictions

PREDICTION_COLUMNS = ("symbol", "date", "score", "rank_score", "ml_prediction_score", "ml_confidence", *CALIBRATED)


class FeaturesDiffer(ValueError):
    """The given features are not those that the bundle was fitted on."""


def predict(bundle: Bundle, data: Samples) -> pd.DataFrame:
    """Predict one session's tradable shares.

    Parameters
    ----------
    data
        Samples of one session's tradable universe, to which ranks and percentiles refer.

    Returns
    -------
    DataFrame
        ``PREDICTION_COLUMNS``, one row per row given, same order:
        score, rank_score: of the two heads, for ranking only;
        ml_prediction_score: percentile of the return head, 0-1, higher is better;
        ml_confidence: agreement of its members, 0-1; and the columns of ``calibrated``.

    Raises
    ------
    FeaturesDiffer
        The features are not those of the bundle, or the rows are of more than one session.

    Notes
    -----
    Point in time: uses these rows only. The same bundle and rows give bitwise equal predictions.
    """
    missing = [name for name in bundle.features if name not in data.features]
    if missing:
        raise FeaturesDiffer(f"The model needs features that are missing: {', '.join(missing)}. Train again.")
    if data.features != bundle.features:
        raise FeaturesDiffer("The model was fitted on other features, or in another order. Train again.")
    if data.keys["date"].nunique() > 1:
        raise FeaturesDiffer("Percentiles are within one session: pass the rows of one date.")
    raw = raw_predictions(data, bundle.estimator, bundle.fits)
    raw["volatility"] = data.keys["volatility"].to_numpy()
    result = calibrated(raw, bundle.calibration).rename(
        columns={"percentile": "ml_prediction_score", "confidence": "ml_confidence"}
    )
    return result[list(PREDICTION_COLUMNS)]
