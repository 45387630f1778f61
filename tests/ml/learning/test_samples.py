from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ml.features.facts import FACTS
from ml.learning.labels import OUTCOMES, exit_counts
from ml.learning.samples import by_day, centred_ranks, day_percentiles, samples
from tests.ml.markets import market, market_samples, samples_of, sessions


def outcomes_and_facts(index):
    outcomes = pd.DataFrame(dict.fromkeys(OUTCOMES, np.nan), index=index)
    return outcomes, pd.DataFrame({"tradable": True} | dict.fromkeys(FACTS, np.nan), index=index)


@pytest.fixture(scope="module")
def data():
    return market_samples(shares=5, days=60)


def test_rows_are_sorted_by_day_and_know_their_position(data):
    assert len(data) == 300
    assert data.keys["date"].is_monotonic_increasing
    assert data.keys.loc[:4, "symbol"].tolist() == ["S000", "S001", "S002", "S003", "S004"]
    assert (data.sessions[data.position] == data.keys["date"]).all()
    assert data.values.dtype == np.float32
    assert data.values.shape == (300, len(data.features))


def test_only_tradable_bars_become_samples():
    dates = sessions(2)
    features = pd.DataFrame(
        {"symbol": ["A", "A", "B"], "date": dates[[0, 1, 1]], "x": [1.0, 2.0, 3.0]}, index=[7, 8, 9]
    )
    outcomes, of_bars = outcomes_and_facts([7, 8, 9, 10])
    outcomes["forward_return"] = [0.1, 0.2, np.nan, 9.0]
    of_bars["tradable"] = [True, False, True, True]
    of_bars["sector"] = ["X", "Y", None, "Z"]
    joined = samples(features, outcomes, of_bars, dates)
    assert joined.keys["symbol"].tolist() == ["A", "B"]
    assert joined.values[:, 0].tolist() == [1.0, 3.0]
    np.testing.assert_array_equal(joined.keys["forward_return"], [0.1, np.nan])
    assert joined.keys["sector"].tolist()[0] == "X"
    assert joined.keys["sector"].isna().tolist() == [False, True]
    assert list(joined.keys.columns) == ["symbol", "date", *OUTCOMES, *FACTS]


def test_what_is_not_finite_is_unknown():
    dates = sessions(1)
    features = pd.DataFrame(
        {"symbol": list("ABC"), "date": dates[0], "x": [np.inf, -np.inf, np.nan], "flat": [2.0, 2.0, 2.0]}
    )
    outcomes, known = outcomes_and_facts([0, 1, 2])
    joined = samples(features, outcomes, known, dates)
    assert np.isnan(joined.values[:, 0]).all()
    assert (centred_ranks(joined.position, joined.values) == 0).all()  # one value for all tells nothing, nor does none


def test_what_is_known_by_a_session_had_its_exit_by_then(data):
    """Bought on session t+1 and sold on t+11: session 30 knows the outcomes of sessions up to 19."""
    assert data.position[data.known_by(30)].max() == 19
    assert not data.known_by(10).any()
    exits = data.keys["exit_position"].where(data.keys["symbol"] != "S001", 40.0)
    late = replace(data, keys=data.keys.assign(exit_position=exits))
    assert "S001" not in set(late.keys["symbol"][late.known_by(39)])
    assert "S001" in set(late.keys["symbol"][late.known_by(40)])


def test_an_outcome_that_never_came_is_known_by_no_session():
    frame, calendar = market(shares=2, days=40), sessions(40)
    gone = frame.loc[(frame["symbol"] != "S001") | (frame["date"] < calendar[15])].reset_index(drop=True)
    whole = samples_of(gone, calendar)
    known = whole.where(whole.known_by(10**6))
    assert set(known.position[known.keys["symbol"] == "S001"]) == set(range(4))  # sold on session 14 at the latest
    assert exit_counts(whole.keys, whole.position, 39) == {"due": 29 + 14, "late": 0, "unsold": 10}


def test_between_includes_both_ends(data):
    part = data.between(10, 12)
    assert sorted(set(part.position)) == [10, 11, 12]
    assert part.keys.index.equals(pd.RangeIndex(15))


def test_the_fingerprint_covers_every_value(data):
    assert data.fingerprint == market_samples(shares=5, days=60).fingerprint
    values = data.values.copy()
    values[17, 3] = 0.5
    others = [
        replace(data, values=values),
        replace(data, keys=data.keys.assign(drawdown=0.0)),
        replace(data, features=("other", *data.features[1:])),
        data.between(0, 58),
    ]
    assert len({data.fingerprint, *(other.fingerprint for other in others)}) == 5


def test_percentiles_within_a_day():
    position = np.array([1, 1, 1, 2, 2])
    percentiles = day_percentiles(position, np.array([3.0, 1.0, 1.0, 9.0, np.nan]))
    np.testing.assert_allclose(percentiles, [5 / 6, 1 / 3, 1 / 3, 0.5, np.nan])


def test_groups_by_day():
    assert by_day(np.array([5, 5, 6]), np.array([1.0, 3.0, 9.0])).mean().tolist() == [2.0, 9.0]
