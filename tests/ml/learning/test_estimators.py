import json
from dataclasses import replace

import pytest

from ml.learning.estimators import ESTIMATORS, Estimator, UnknownEstimator, estimator
from ml.learning.learners import LEARNERS
from ml.learning.targets import TARGETS


def test_the_contracts_forest_learns_the_plain_return_of_the_contracts_features():
    forest = ESTIMATORS["random_forest"]
    assert forest.feature_set == "contract"
    [member] = forest.return_head.members
    assert (member.learner, member.target, member.outcome, member.every) == (
        "random forest",
        "plain",
        "forward_return",
        1,
    )


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UnknownEstimator, match="'xgboost'; choose one of: ensemble, lightgbm, linear,"):
        estimator("xgboost")


def test_a_lookback_is_counted_in_sessions():
    assert estimator("ensemble").lookback_sessions is None
    assert estimator("ensemble", 365).lookback_sessions == 250


def test_every_member_is_fitted_once():
    members = estimator("ensemble").members
    assert len(members) == len(set(members)) == 8
    assert len(estimator("random_forest").members) == 2  # both heads are the same


@pytest.mark.parametrize("name", ESTIMATORS)
def test_members_name_what_exists_and_an_estimator_comes_back_from_its_json(name):
    chosen = ESTIMATORS[name]
    for member in chosen.members:
        assert member.learner in LEARNERS
        assert member.target in TARGETS
    again = Estimator.from_json(name, json.loads(json.dumps(chosen.as_json())))
    assert replace(again, note=chosen.note) == chosen
    assert again.recipe == chosen.recipe


def test_any_change_of_a_member_is_another_recipe():
    chosen = ESTIMATORS["linear"]
    [member] = chosen.return_head.members
    head = replace(chosen.return_head, groups=((replace(member, every=2),),))
    assert replace(chosen, return_head=head).recipe != chosen.recipe
    assert len({estimator.recipe for estimator in ESTIMATORS.values()}) == len(ESTIMATORS)
