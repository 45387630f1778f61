import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml.features.facts import facts
from ml.features.groups import no_groups
from ml.features.registry import WARM_UP_SESSIONS, features
from ml.learning.labels import labels
from ml.learning.prediction import PREDICTION_COLUMNS, FeaturesDiffer, predict
from ml.learning.samples import samples
from ml.learning.training import fit_bundle
from tests.ml.markets import garbled_after, market, no_events, sessions, tiny

DAYS = 300


def evening(bars, calendar):
    """Fit and features of the calendar's last session, from bars up to it."""
    outcomes = labels(bars, calendar, no_events())
    of_bars = facts(bars, calendar, no_groups())
    rows = features(bars, calendar, no_groups())
    bundle = fit_bundle(samples(rows, outcomes, of_bars, calendar), tiny(rounds=0.05), calendar[-1].date(), 200)
    today = rows.loc[(rows["date"] == calendar[-1]) & of_bars["tradable"]].reset_index(drop=True)
    return bundle, today


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
    assert predictions["symbol"].tolist() == fitted[1]["symbol"].tolist()
    for name in ("ml_prediction_score", "ml_confidence", "ml_probability", "ml_risk_score"):
        assert predictions[name].between(0, 1).all()
    assert (predictions["predicted_drawdown"] <= 0).all()
    assert predictions["predicted_return"].abs().max() < 0.5
    assert predictions.notna().all(axis=None)


def test_scores_returns_and_chances_rank_alike(predictions):
    ranked = predictions.sort_values("score")
    for name in ("ml_prediction_score", "predicted_return", "ml_probability"):
        assert ranked[name].is_monotonic_increasing
    assert predictions["ml_prediction_score"].mean() == pytest.approx(0.5)


def test_the_deeper_the_drawdown_the_higher_the_risk(predictions):
    assert predictions.sort_values("predicted_drawdown")["ml_risk_score"].is_monotonic_decreasing


def test_predictions_repeat_bit_by_bit(predictions, fitted, bars):
    pd.testing.assert_frame_equal(predict(*fitted), predictions, check_exact=True)
    pd.testing.assert_frame_equal(predict(*evening(bars, sessions(DAYS))), predictions, check_exact=True)


@settings(max_examples=3, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(270, DAYS - 5), st.integers(0, 10**6))
def test_the_future_changes_no_prediction(bars, position, seed):
    calendar = sessions(position + 1)
    day = calendar[-1]
    original, garbled = (
        predict(*evening(frame.loc[frame["date"] <= day].reset_index(drop=True), calendar))
        for frame in (bars, garbled_after(bars, day, seed))
    )
    pd.testing.assert_frame_equal(original, garbled, check_exact=True)


def test_recent_sessions_are_enough(bars, fitted, predictions):
    calendar = sessions(DAYS)[DAYS - WARM_UP_SESSIONS :]
    recent = bars.loc[bars["date"] >= calendar[0]].reset_index(drop=True)
    rows = features(recent, calendar, no_groups(), since=calendar[-1])
    tradable = facts(recent, calendar, no_groups())["tradable"]
    today = rows.loc[tradable.reindex(rows.index)].reset_index(drop=True)
    pd.testing.assert_frame_equal(predict(fitted[0], today), predictions, check_exact=True)


def test_the_order_of_columns_and_rows_is_the_callers(fitted, predictions):
    bundle, today = fitted
    shuffled = today[today.columns[::-1]].iloc[::-1]
    predicted = predict(bundle, shuffled)
    assert predicted.index.tolist() == shuffled.index.tolist()
    pd.testing.assert_frame_equal(predicted.sort_index(), predictions, check_exact=True)


def test_no_rows_give_an_empty_frame(fitted):
    bundle, today = fitted
    assert list(predict(bundle, today.iloc[:0]).columns) == list(PREDICTION_COLUMNS)


def test_missing_features_are_named(fitted):
    bundle, today = fitted
    with pytest.raises(FeaturesDiffer, match="are missing: return_5, beta_120"):
        predict(bundle, today.drop(columns=["return_5", "beta_120"]))


def test_two_sessions_at_once_are_refused(fitted):
    bundle, today = fitted
    two = today.assign(date=np.where(np.arange(len(today)) == 0, today["date"] - pd.Timedelta(days=1), today["date"]))
    with pytest.raises(FeaturesDiffer, match="rows of one date"):
        predict(bundle, two)
