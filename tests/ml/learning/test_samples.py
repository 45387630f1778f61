import numpy as np
import pandas as pd
import pytest

from ml.learning.samples import Samples, by_day, day_percentiles, samples
from tests.ml.markets import market_samples, sessions


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
    outcomes = pd.DataFrame({"forward_return": [0.1, 0.2, np.nan, 9.0], "drawdown": -0.1}, index=[7, 8, 9, 10])
    liquid = pd.Series([True, False, True, True], index=[7, 8, 9, 10])
    joined = samples(features, outcomes, liquid, dates)
    assert joined.keys["symbol"].tolist() == ["A", "B"]
    assert joined.values[:, 0].tolist() == [1.0, 3.0]
    np.testing.assert_array_equal(joined.keys["forward_return"], [0.1, np.nan])


def test_between_includes_both_ends(data):
    part = data.between(10, 12)
    assert sorted(set(part.position)) == [10, 11, 12]
    assert part.keys.index.equals(pd.RangeIndex(15))


def test_the_fingerprint_covers_every_value(data):
    assert data.fingerprint == market_samples(shares=5, days=60).fingerprint
    values = data.values.copy()
    values[17, 3] = 0.5
    others = [
        Samples(data.keys, data.position, values, data.features, data.sessions),
        Samples(data.keys.assign(drawdown=0.0), data.position, data.values, data.features, data.sessions),
        Samples(data.keys, data.position, data.values, ("other", *data.features[1:]), data.sessions),
        data.between(0, 58),
    ]
    assert len({data.fingerprint, *(other.fingerprint for other in others)}) == 5


def test_percentiles_within_a_day():
    position = np.array([1, 1, 1, 2, 2])
    percentiles = day_percentiles(position, np.array([3.0, 1.0, 1.0, 9.0, np.nan]))
    np.testing.assert_allclose(percentiles, [5 / 6, 1 / 3, 1 / 3, 0.5, np.nan])


def test_groups_by_day():
    assert by_day(np.array([5, 5, 6]), np.array([1.0, 3.0, 9.0])).mean().tolist() == [2.0, 9.0]
