from datetime import date

import numpy as np
import pandas as pd
import pytest

from ml.learning.calibration import RETURN_LIMIT
from ml.learning.estimators import Member
from ml.learning.labels import EXIT_DELAY
from ml.learning.training import acceptance, calibration_predictions, fit_bundle
from ml.learning.walk_forward import TooLittleHistory
from tests.ml.markets import market_samples, tiny

DAYS = 320


@pytest.fixture(scope="module")
def data():
    return market_samples(shares=40, days=DAYS, signal=0.004)


@pytest.fixture(scope="module")
def session(data):
    return data.sessions[-1].date()


@pytest.fixture(scope="module")
def bundle(data, session):
    return fit_bundle(data, tiny(), session, lookback_days=200)


def test_a_bundle_records_what_it_was_fitted_on(data, bundle, session):
    facts = bundle.metadata
    assert facts["session"] == session.isoformat()
    assert facts["train_until"] == data.sessions[-1 - EXIT_DELAY].date().isoformat()
    first = pd.Timestamp(facts["train_from"])
    assert pd.Timestamp(session) - pd.Timedelta(days=200) <= first < pd.Timestamp(session) - pd.Timedelta(days=196)
    days = DAYS - EXIT_DELAY - data.sessions.get_loc(first)
    assert facts["samples"] == 40 * days
    assert facts["data_hash"] == data.fingerprint
    assert facts["parameters"]["lookback_days"] == 200
    assert bundle.features == data.features
    assert (len(bundle.price), len(bundle.risk)) == (4, 2)


def test_a_signal_is_found_out_of_sample(bundle):
    assert bundle.metadata["metrics"]["rank_ic"]["low_95"] > 0.05
    assert bundle.metadata["metrics"]["hit_rate"]["mean"] > 0.6
    ends = np.array([0.05, 0.95])
    low, high = bundle.calibration.excess_return(ends)
    assert -RETURN_LIMIT < low < -0.005
    assert 0.005 < high < RETURN_LIMIT
    low, high = bundle.calibration.probability(ends)
    assert low < 0.45 < 0.55 < high


def test_each_session_is_calibrated_once_and_by_models_from_before_it(data):
    row_counts = []

    def spy(values, target, seed, size):
        row_counts.append(len(values))
        return tiny().fit(values, target, seed, size)

    chosen = tiny().__class__(**{**vars(tiny()), "fit": spy, "fold_members": (Member(1),)})
    last = DAYS - 1 - EXIT_DELAY
    predictions = calibration_predictions(data, chosen, last, lookback=100)
    tested = sorted(predictions["position"].unique())
    assert tested == list(range(tested[0], last + 1))
    assert not predictions.duplicated(["symbol", "date"]).any()
    assert predictions["forward_return"].notna().all()
    assert max(row_counts) == 40 * 100  # a fold is fitted on the lookback, not on more


def test_the_future_is_refused(data):
    day = data.sessions[-2].date()
    with pytest.raises(ValueError, match="past the session"):
        fit_bundle(data, tiny(), day, lookback_days=200)


def test_too_little_history_is_refused(data):
    early = data.between(0, 110)
    with pytest.raises(TooLittleHistory, match=r"Only \d+ sessions have enough history"):
        fit_bundle(early, tiny(), data.sessions[110].date(), lookback_days=365)


def test_no_samples_are_refused(data):
    with pytest.raises(TooLittleHistory, match="no samples"):
        fit_bundle(data.between(5, 4), tiny(), date(2024, 1, 1), lookback_days=365)


@pytest.mark.parametrize(("mean", "accepted"), [(0.001, True), (0.0, False), (-0.02, False), (None, False)])
def test_a_ranking_without_correlation_is_rejected(mean, accepted):
    is_accepted, reason = acceptance({"rank_ic": {"mean": mean, "days": 240}})
    assert is_accepted is accepted
    assert bool(reason) is not accepted
