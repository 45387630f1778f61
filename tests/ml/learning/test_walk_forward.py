from dataclasses import replace

import numpy as np
import pytest

from ml.learning.estimators import Member
from ml.learning.labels import EXIT_DELAY, LATE_EXIT_SESSIONS
from ml.learning.samples import Samples
from ml.learning.walk_forward import (
    SCORES,
    TooLittleHistory,
    Window,
    confidence,
    earliest_test,
    fit_members,
    raw_predictions,
    training_rows,
    walk_forward,
)
from tests.ml.markets import market_samples, tiny

AT = 140


@pytest.fixture(scope="module")
def data():
    return market_samples(shares=20, days=220)


@pytest.fixture(scope="module")
def predicted(data):
    return walk_forward(data, tiny(), AT, AT + 24)


def with_keys(data: Samples, **columns) -> Samples:
    return replace(data, keys=data.keys.assign(**columns))


def test_each_session_of_the_span_is_predicted_once(data, predicted):
    assert predicted["position"].unique().tolist() == list(range(AT, AT + 25))
    assert not predicted.duplicated(["symbol", "date"]).any()
    assert predicted[[*SCORES]].notna().all(axis=None)


def test_the_first_night_of_a_fold_is_the_nightly_fit(data, predicted):
    chosen = tiny()
    night = raw_predictions(data.between(AT, AT), chosen, fit_members(data, chosen.members, Window(AT)))
    fold = predicted.loc[predicted["position"] == AT]
    for name in SCORES:
        assert night[name].to_numpy().tobytes() == fold[name].to_numpy().tobytes()


def test_what_happened_after_the_fit_changes_no_prediction(data, predicted):
    late = data.keys["exit_position"].to_numpy() > AT
    changed = {name: data.keys[name].where(~late, -0.3) for name in ("forward_return", "forward_return_5", "drawdown")}
    other = walk_forward(with_keys(data, **changed), tiny(), AT, AT)
    assert (
        other["score"].to_numpy().tobytes() == predicted.loc[predicted["position"] == AT, "score"].to_numpy().tobytes()
    )


def test_an_outcome_that_was_not_known_yet_is_not_learnt_from(data):
    member = Member("linear", "standard_excess")
    rows = training_rows(data, member, Window(AT))
    assert rows.position[-1] == AT - EXIT_DELAY - LATE_EXIT_SESSIONS - 1
    assert (rows.keys["exit_position"] <= AT).all()
    delayed = with_keys(data, exit_position=data.keys["exit_position"].where(data.keys["symbol"] != "S003", AT + 1))
    assert "S003" not in set(training_rows(delayed, member, Window(AT)).keys["symbol"])


def test_members_learn_from_every_nth_session_counted_from_the_last(data):
    rows = training_rows(data, Member("boosted", "standard_excess", every=4), Window(AT))
    last = AT - EXIT_DELAY - LATE_EXIT_SESSIONS - 1
    assert np.unique(rows.position).tolist() == sorted(range(last, 39, -4))


def test_a_lookback_limits_the_training_window(data):
    chosen = replace(tiny("linear"), lookback_sessions=70)
    window = Window.of(AT, chosen)
    assert window.last - window.first + 1 == 70
    assert window == Window.of(AT, replace(chosen, lookback_sessions=70))
    assert Window.of(AT, replace(chosen, lookback_sessions=9_999)) == Window(AT)
    assert replace(chosen, lookback_sessions=71).recipe != chosen.recipe


@pytest.mark.parametrize(("sessions", "earliest"), [(762, 252), (500, 250), (180, 116), (20, 116)])
def test_testing_starts_after_a_year_or_half_of_a_short_history(sessions, earliest):
    assert earliest_test(sessions) == earliest


def test_the_earliest_test_can_be_fitted_and_the_session_before_cannot(data):
    earliest = earliest_test(0)
    members = tiny("linear").members
    fit_members(data, members, Window(earliest))
    with pytest.raises(TooLittleHistory, match="59 sessions with outcomes lie before the session to predict; 60"):
        fit_members(data, members, Window(earliest - 1))


def test_without_any_outcome_nothing_is_fitted(data):
    unknown = with_keys(data, forward_return=np.nan)
    with pytest.raises(TooLittleHistory, match="No outcome"):
        fit_members(unknown, tiny("linear").members, Window(AT))


def test_members_are_refitted_as_often_as_their_learner_says(data):
    reports = []
    walk_forward(data, tiny("lightgbm"), AT, AT + 42, lambda done, total: reports.append((done, total)))
    # Two boosted heads every 63 sessions: one fit each; the linear risk model every 21: three.
    assert reports[-1] == (5, 5)


def test_members_that_agree_are_confident():
    alike = np.tile(np.linspace(0.1, 0.9, 9)[:, None], 4)
    assert confidence(alike) == pytest.approx(1)
    assert np.isnan(confidence(alike[:, :1])).all()
    random = np.random.default_rng(1).uniform(size=(4000, 5))
    assert confidence(random).mean() < 0.15
