import pandas as pd
import pytest

from ml.features.facts import facts
from ml.features.registry import WARM_UP_SESSIONS, features
from ml.features.signals import Signals
from ml.learning.calibration import CALIBRATED
from ml.learning.labels import labels
from ml.learning.prediction import PREDICTION_COLUMNS, FeaturesDiffer, predict
from ml.learning.samples import samples
from ml.learning.training import fit_night
from tests.ml.markets import market, no_events, no_groups, nothing_stored, sessions, tiny

DAYS = 300


def everything(bars, calendar, since=None):
    signals = Signals(bars, calendar, no_groups())
    return samples(features(signals, since), labels(bars, calendar, no_events()), facts(signals), calendar)


def evening(bars, calendar):
    """Bundle and samples of the calendar's last session, from bars up to it."""
    data = everything(bars, calendar)
    night = fit_night(data, tiny(size=0.05), calendar[-1].date(), nothing_stored())
    return night.bundle, data.between(len(calendar) - 1, len(calendar) - 1)


@pytest.fixture(scope="module")
def bars():
    return market(shares=25, days=DAYS, signal=0.004)


@pytest.fixture(scope="module")
def fitted(bars):
    return evening(bars, sessions(DAYS))


@pytest.fixture(scope="module")
def predictions(fitted):
    return predict(*fitted)


def test_every_number_keeps_its_bounds(predictions, fitted):
    assert list(predictions.columns) == list(PREDICTION_COLUMNS)
    assert predictions["symbol"].tolist() == fitted[1].keys["symbol"].tolist()
    for name in ("ml_prediction_score", "ml_confidence", "ml_probability", "ml_risk_score"):
        assert predictions[name].between(0, 1).all()
    assert (predictions["predicted_drawdown"] <= 0).all()
    assert predictions["predicted_return"].abs().max() < 0.5
    assert (predictions["excess_low"] < predictions["excess_high"]).all()
    assert (predictions["low_level"] <= 0).all()
    assert (predictions["high_level"] >= 0).all()
    assert predictions.notna().all(axis=None)


def test_what_a_night_stores_is_what_it_publishes(bars, predictions):
    calendar = sessions(DAYS)
    night = fit_night(everything(bars, calendar), tiny(size=0.05), calendar[-1].date(), nothing_stored())
    stored = night.predictions.loc[night.predictions["date"] == calendar[-1]].reset_index(drop=True)
    for name in ("score", "rank_score", *CALIBRATED):
        pd.testing.assert_series_equal(stored[name], predictions[name], check_exact=True)


def test_each_figure_follows_its_head(predictions):
    by_return, by_rank = predictions.sort_values("score"), predictions.sort_values("rank_score")
    for name in ("ml_prediction_score", "predicted_return"):
        assert by_return[name].is_monotonic_increasing
    assert by_rank["ml_probability"].is_monotonic_increasing
    assert predictions["ml_prediction_score"].mean() == pytest.approx(0.5)


def test_the_deeper_the_drawdown_the_higher_the_risk(predictions):
    assert predictions.sort_values("predicted_drawdown")["ml_risk_score"].is_monotonic_decreasing


def test_predictions_repeat_bit_by_bit(predictions, fitted, bars):
    pd.testing.assert_frame_equal(predict(*fitted), predictions, check_exact=True)
    pd.testing.assert_frame_equal(predict(*evening(bars, sessions(DAYS))), predictions, check_exact=True)


def test_recent_sessions_are_enough(bars, fitted, predictions):
    calendar = sessions(DAYS)[DAYS - WARM_UP_SESSIONS :]
    recent = bars.loc[bars["date"] >= calendar[0]].reset_index(drop=True)
    today = everything(recent, calendar, since=calendar[-1])
    pd.testing.assert_frame_equal(predict(fitted[0], today), predictions, check_exact=True)


def test_no_rows_give_an_empty_frame(fitted):
    bundle, today = fitted
    assert list(predict(bundle, today.between(5, 4)).columns) == list(PREDICTION_COLUMNS)


def test_features_that_differ_are_refused(fitted):
    bundle, today = fitted
    kept = [name for name in today.features if name not in ("return_5", "beta_120")]
    with pytest.raises(FeaturesDiffer, match="are missing: return_5, beta_120"):
        predict(bundle, today.only(kept))
    with pytest.raises(FeaturesDiffer, match="in another order"):
        predict(bundle, today.only(today.features[::-1]))


def test_two_sessions_at_once_are_refused(fitted, bars):
    with pytest.raises(FeaturesDiffer, match="rows of one date"):
        predict(fitted[0], everything(bars, sessions(DAYS)).between(DAYS - 2, DAYS - 1))
