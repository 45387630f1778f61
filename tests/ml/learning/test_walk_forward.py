import numpy as np
import pytest

from ml.learning.estimators import Member
from ml.learning.samples import Samples
from ml.learning.walk_forward import (
    Ensemble,
    Fold,
    TooLittleHistory,
    ensembles,
    fit_ensembles,
    folds,
    member_predictions,
    predict_fold,
)
from tests.ml.markets import market_samples, tiny


@pytest.fixture(scope="module")
def data():
    return market_samples(shares=20, days=220)


def test_folds_by_hand():
    expected = [Fold(10, 83, 100, 139), Fold(10, 123, 140, 179), Fold(10, 163, 180, 200)]
    assert folds([100, 140, 180], 200, history_first=10) == expected


def test_a_lookback_limits_the_training_window():
    assert folds([200], 210, history_first=10, lookback=100) == [Fold(84, 183, 200, 210)]


def test_a_fold_with_too_little_before_it_is_left_out():
    assert folds([85, 86], 90, history_first=10) == [Fold(10, 69, 86, 90)]  # 60 sessions; the one before would have 59
    assert folds([86], 90, history_first=11) == []


def test_training_samples_that_reach_into_the_fold_are_refused(data):
    tested = data.between(120, 130)
    predict_fold(data.between(20, 103), tested, tiny(), published=False, risk=False)
    with pytest.raises(ValueError, match="reach into the purge or embargo"):
        predict_fold(data.between(20, 104), tested, tiny(), published=False, risk=False)


def test_outcomes_of_the_tested_sessions_change_no_prediction(data):
    keys = data.keys.copy()
    keys.loc[data.position >= 104, ["forward_return", "drawdown"]] = -0.5
    other = Samples(keys, data.position, data.values, data.features, data.sessions)
    first, second = (
        predict_fold(part.between(20, 103), part.between(120, 130), tiny(), published=False) for part in (data, other)
    )
    for name in ("score", "percentile", "predicted_drawdown", "risk_percentile"):
        assert first[name].to_numpy().tobytes() == second[name].to_numpy().tobytes()


def test_without_a_risk_model_no_drawdown_is_predicted(data):
    predictions = predict_fold(data.between(20, 103), data.between(120, 121), tiny(), published=False, risk=False)
    assert predictions["predicted_drawdown"].isna().all()
    assert predictions["score"].notna().all()
    assert len(predictions) == 40


def test_a_published_ensemble_has_all_members():
    price, risk = ensembles(tiny(), published=True)
    assert (len(price.members), len(risk.members)) == (4, 2)
    (small,) = ensembles(tiny(), published=False, risk=False)
    assert len(small.members) == 1


def test_members_are_fitted_in_their_own_window(data):
    rows_by_seed = {}

    def spy(values, target, seed, size):
        rows_by_seed[seed] = len(values)
        return tiny().fit(values, target, seed, size)

    chosen = tiny().__class__(**{**vars(tiny()), "fit": spy})
    members = (Member(1), Member(2, first=0.5), Member(3, last=0.25))
    past = data.between(100, 139)
    wanted = [Ensemble(members, lambda window: np.zeros(len(window)), "forward_return")]
    (models,) = fit_ensembles(past, chosen, wanted)
    assert rows_by_seed == {1: 800, 2: 400, 3: 220}  # 40, 20 and 11 sessions of 20 shares
    assert member_predictions(models, past.values).shape == (800, 3)


def test_a_window_without_outcomes_is_refused(data):
    with pytest.raises(TooLittleHistory, match="has no known outcome yet"):
        fit_ensembles(data.between(215, 219), tiny(), ensembles(tiny(), published=False))
