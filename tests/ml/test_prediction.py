import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml.features import WARM_UP_SESSIONS, features, tradable
from ml.labels import labels
from ml.prediction import PREDICTION_COLUMNS, FeaturesDiffer, predict
from ml.samples import samples
from ml.training import fit_bundle
from tests.ml.markets import garbled_after, market, no_events, sessions, tiny

DAYS = 300


def evening(bars, calendar):
    """The whole evening of the calendar's last session, out of bars up to it: fit and features."""
    outcomes = labels(bars, calendar, no_events())
    liquid = tradable(bars, calendar)
    seen = features(bars, calendar)
    bundle = fit_bundle(samples(seen, outcomes, liquid, calendar), tiny(rounds=0.05), calendar[-1].date(), 200)
    today = seen.loc[(seen["date"] == calendar[-1]) & liquid].reset_index(drop=True)
    return bundle, today


@pytest.fixture(scope="module")
def bars():
    return market(shares=25, days=DAYS, signal=0.004)


@pytest.fixture(scope="module")
def fitted(bars):
    return evening(bars, sessions(DAYS))


@pytest.fixture(scope="module")
def said(fitted):
    return predict(*fitted)


def test_every_number_keeps_its_bounds(said, fitted):
    assert list(said.columns) == list(PREDICTION_COLUMNS)
    assert said["symbol"].tolist() == fitted[1]["symbol"].tolist()
    for name in ("ml_prediction_score", "ml_confidence", "ml_probability", "ml_risk_score"):
        assert said[name].between(0, 1).all()
    assert (said["predicted_drawdown"] <= 0).all()
    assert said["predicted_return"].abs().max() < 0.5
    assert said.notna().all(axis=None)


def test_scores_returns_and_chances_rank_alike(said):
    ranked = said.sort_values("score")
    for name in ("ml_prediction_score", "predicted_return", "ml_probability"):
        assert ranked[name].is_monotonic_increasing
    assert said["ml_prediction_score"].mean() == pytest.approx(0.5)


def test_the_deeper_the_drawdown_the_higher_the_risk(said):
    assert said.sort_values("predicted_drawdown")["ml_risk_score"].is_monotonic_decreasing


def test_predictions_repeat_bit_by_bit(said, fitted, bars):
    pd.testing.assert_frame_equal(predict(*fitted), said, check_exact=True)
    pd.testing.assert_frame_equal(predict(*evening(bars, sessions(DAYS))), said, check_exact=True)


@settings(max_examples=3, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(270, DAYS - 5), st.integers(0, 10**6))
def test_the_future_changes_no_prediction(bars, position, seed):
    calendar = sessions(position + 1)
    day = calendar[-1]
    one, other = (
        predict(*evening(frame.loc[frame["date"] <= day].reset_index(drop=True), calendar))
        for frame in (bars, garbled_after(bars, day, seed))
    )
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_recent_sessions_are_enough(bars, fitted, said):
    calendar = sessions(DAYS)[DAYS - WARM_UP_SESSIONS :]
    recent = bars.loc[bars["date"] >= calendar[0]].reset_index(drop=True)
    seen = features(recent, calendar, since=calendar[-1])
    today = seen.loc[tradable(recent, calendar).reindex(seen.index)].reset_index(drop=True)
    pd.testing.assert_frame_equal(predict(fitted[0], today), said, check_exact=True)


def test_the_order_of_columns_and_rows_is_the_callers(fitted, said):
    bundle, today = fitted
    shuffled = today[today.columns[::-1]].iloc[::-1]
    found = predict(bundle, shuffled)
    assert found.index.tolist() == shuffled.index.tolist()
    pd.testing.assert_frame_equal(found.sort_index(), said, check_exact=True)


def test_nobody_to_predict(fitted):
    bundle, today = fitted
    assert list(predict(bundle, today.iloc[:0]).columns) == list(PREDICTION_COLUMNS)


def test_missing_features_are_named(fitted):
    bundle, today = fitted
    with pytest.raises(FeaturesDiffer, match="not there: return_5, beta_120"):
        predict(bundle, today.drop(columns=["return_5", "beta_120"]))


def test_two_sessions_at_once_are_refused(fitted):
    bundle, today = fitted
    two = today.assign(date=np.where(np.arange(len(today)) == 0, today["date"] - pd.Timedelta(days=1), today["date"]))
    with pytest.raises(FeaturesDiffer, match="rows of one date"):
        predict(bundle, two)
