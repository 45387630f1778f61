"""How well a model explains what it was fitted on: beside the same of later sessions it shows the overfit; pure."""

import numpy as np

from ml.evaluation.expectations import r2
from ml.learning.calibration import excess_returns
from ml.learning.samples import Samples
from ml.learning.training import Bundle
from ml.learning.walk_forward import Window, raw_predictions

# Neighbouring sessions share most of their outcome.
EVERY = 10


def in_sample_r2(bundle: Bundle, data: Samples) -> float | None:
    """R² of the calibrated expected excess on every tenth session that the model was fitted on; None without curves."""
    if bundle.calibration is None or not len(data):
        return None
    window = Window.of(int(data.position[-1]), bundle.estimator)
    rows = data.between(window.first, window.last)
    rows = rows.where(((window.last - rows.position) % EVERY == 0) & rows.keys["forward_return"].notna().to_numpy())
    if not len(rows):
        return None
    raw = raw_predictions(rows, bundle.estimator, bundle.fits)
    expected = bundle.calibration.expected_excess(raw["percentile"].to_numpy(dtype=np.float64))
    excess = excess_returns(rows.position, rows.keys["forward_return"].to_numpy(dtype=np.float64))
    frame = raw.assign(expected=expected, excess=excess)
    value = r2(frame["position"], frame["excess"], frame["expected"]).value
    return float(value) if np.isfinite(value) else None
