from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from ml.learning.calibration import CALIBRATED, RETURN_LIMIT
from ml.learning.labels import EXIT_DELAY
from ml.learning.training import RECALIBRATE_SESSIONS, fit_night
from ml.learning.walk_forward import SCORES, TooLittleHistory, earliest_test
from tests.ml.markets import market_samples, nothing_stored, tiny

DAYS = 320


@pytest.fixture(scope="module")
def data():
    return market_samples(shares=40, days=DAYS, signal=0.004)


@pytest.fixture(scope="module")
def session(data):
    return data.sessions[-1].date()


@pytest.fixture(scope="module")
def night(data, session):
    return fit_night(data, tiny("linear"), session, nothing_stored())


def test_a_bundle_records_what_it_was_fitted_on(data, night, session):
    facts = night.bundle.metadata
    assert facts["session"] == session.isoformat()
    assert facts["train_from"] == data.sessions[40].date().isoformat()
    assert facts["train_until"] == data.sessions[-1 - EXIT_DELAY - 6].date().isoformat()
    assert facts["samples"] == 40 * (DAYS - 40 - EXIT_DELAY - 6)
    assert facts["data_hash"] == data.fingerprint
    assert facts["recipe"] == tiny("linear").recipe
    assert night.bundle.features == data.features


def test_every_session_that_can_be_tested_is_predicted_once(night):
    assert night.predictions["position"].unique().tolist() == list(range(earliest_test(DAYS), DAYS))
    assert not night.predictions.duplicated(["symbol", "date"]).any()
    assert len(night.past) == len(night.predictions)


def test_a_signal_is_found_out_of_sample(night):
    known = night.past.dropna(subset=["forward_return"])
    by_day = known.groupby("position")
    assert by_day.apply(lambda day: day["score"].corr(day["forward_return"], method="spearman")).mean() > 0.1
    curves = night.bundle.calibration
    low, high = curves.expected_excess(np.array([0.05, 0.95]))
    assert -RETURN_LIMIT < low < -0.005 < 0.005 < high < RETURN_LIMIT
    low, high = curves.probability(np.array([0.05, 0.95]))
    assert low < 0.45 < 0.55 < high


def test_the_next_night_predicts_what_is_missing_alone(data, night):
    kept = night.predictions.loc[night.predictions["position"] < DAYS - 1, ["symbol", "date", *SCORES]]
    again = fit_night(data, tiny("linear"), data.sessions[-1].date(), kept)
    tonight = night.predictions.loc[night.predictions["position"] == DAYS - 1].reset_index(drop=True)
    assert again.predictions["position"].unique().tolist() == [DAYS - 1]
    pd.testing.assert_frame_equal(again.predictions[[*SCORES]], tonight[[*SCORES]], check_exact=True)
    assert again.bundle.calibration == night.bundle.calibration


def test_missed_nights_are_made_up_for(data, night):
    holed = night.predictions.loc[~night.predictions["position"].isin([200, 201, DAYS - 1])]
    again = fit_night(data, tiny("linear"), data.sessions[-1].date(), holed[["symbol", "date", *SCORES]])
    assert again.predictions["position"].unique().tolist() == [200, 201, DAYS - 1]


def test_past_sessions_are_calibrated_by_what_was_known_then(data, night):
    first = earliest_test(DAYS)
    block = first + 3 * RECALIBRATE_SESSIONS
    keys = data.keys.copy()
    later = keys["exit_position"] > block
    keys.loc[later, ["forward_return", "drawdown", "run_up"]] *= -0.5
    other = fit_night(replace(data, keys=keys), tiny("linear"), data.sessions[-1].date(), nothing_stored())
    inside = night.predictions["position"] < block + 1
    pd.testing.assert_frame_equal(
        other.predictions.loc[inside, [*SCORES, *CALIBRATED]],
        night.predictions.loc[inside, [*SCORES, *CALIBRATED]],
        check_exact=True,
    )
    assert night.predictions.loc[inside & (night.predictions["position"] == block), "predicted_return"].notna().all()
    assert night.predictions.loc[night.predictions["position"] == first, "predicted_return"].isna().all()


def test_a_session_without_shares_is_refused(data):
    with pytest.raises(TooLittleHistory, match="No share was tradable on 2031-01-01"):
        fit_night(data, tiny("linear"), date(2031, 1, 1), nothing_stored())
    with pytest.raises(TooLittleHistory, match="No share was tradable on"):
        fit_night(data, tiny("linear"), data.sessions[-2].date(), nothing_stored())


def test_too_little_history_is_refused(data):
    early = data.between(0, 110)
    with pytest.raises(TooLittleHistory, match="54 sessions with outcomes lie before the session to predict"):
        fit_night(early, tiny("linear"), data.sessions[110].date(), nothing_stored())


def test_a_short_history_has_models_but_no_calibration(data):
    short = data.between(0, 120)
    night = fit_night(short, tiny("linear"), data.sessions[120].date(), nothing_stored())
    assert night.bundle.calibration is None
    assert night.predictions["predicted_return"].isna().all()
    assert night.predictions["score"].notna().all()
