"""Drift: figures of a session and their distance from the ranges learnt from, by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest

from ml.learning import drift
from ml.learning.drift import FIGURES, Ranges
from tests.ml.markets import market_samples

NAN = np.nan


def test_the_figures_of_a_session_by_hand():
    values = np.array(
        [[1, 5, NAN], [3, 5, NAN], [NAN, 5, NAN], [2, 5, NAN], [5, 7, NAN], [9, 6, NAN]], dtype=np.float32
    )
    unknown, median, spread, frequent = drift.session_figures(values)
    assert unknown == pytest.approx([1 / 6, 0, 1])
    assert median[:2] == pytest.approx([3, 5])
    assert spread[:2] == pytest.approx([np.log(5 - 2), np.log(1e-6)])
    assert frequent[:2] == pytest.approx([1 / 5, 4 / 6])
    assert np.isnan([median[2], spread[2], frequent[2]]).all()


def test_the_distance_is_in_widths_of_the_range_and_fewer_unknown_are_no_fault():
    days = np.linspace(0, 1, 201)
    daily = np.stack([0.1 + 0.1 * days, 4 * days, 2 + days, 0.5 + 0 * days], axis=1)[:, :, None]
    known = drift.ranges_of(daily, ["x"])
    assert known.low[:, 0] == pytest.approx([0, 0.02, 2.005, 0])
    assert known.high[:, 0] == pytest.approx([0.1995, 3.98, 2.995, 0.5])
    # The usual spread within a day, exp(2.5), is wider than the medians' own range; a share has two points at least.
    assert known.width[:, 0] == pytest.approx([0.099, np.exp(2.5), 0.99, 0.02])
    assert known.distances(np.array([[0.0], [2], [2.5], [0.1]])).ravel() == pytest.approx([0, 0, 0, 0])
    far = [[0.3975], [0.02 - np.exp(2.5)], [4.975], [0.54]]
    assert known.distances(np.array(far)).ravel() == pytest.approx([2, 1, 2, 2])
    assert known.distances(np.full((4, 1), NAN)).ravel() == pytest.approx(0)


def test_ranges_return_from_json_as_they_were():
    daily = np.random.default_rng(1).random((30, len(FIGURES), 2))
    daily[:, 1:, 1] = NAN
    known = drift.ranges_of(daily, ["a", "b"])
    content = json.loads(json.dumps(known.as_json(), allow_nan=False))
    back = Ranges.from_json(content)
    assert back.features == ("a", "b")
    for name in ("low", "high", "width"):
        np.testing.assert_array_equal(getattr(back, name), getattr(known, name))


@pytest.mark.parametrize(
    ("feature", "fault", "figure", "distance"),
    [
        ("delivery_1", lambda column: np.full_like(column, NAN), "unknown", 40),
        ("delivery_1", lambda column: np.full_like(column, 0.1), "most frequent", 10),
        ("return_1", lambda column: np.where(np.arange(len(column)) % 2, column + np.log(100), column), "spread", 2),
        ("return_1", lambda column: column - 0.2, "median", 3),
    ],
)
def test_a_broken_column_of_a_market_is_named(feature, fault, figure, distance):
    data = market_samples(shares=60, days=200)
    known = drift.ranges(data, 60, 180)
    tonight = data.between(199, 199)
    assert drift.drift(known, tonight).distance < 1
    values = tonight.values.copy()
    place = data.features.index(feature)
    values[:, place] = fault(values[:, place])
    measured = drift.drift(known, replace(tonight, values=values))
    assert (measured.feature, measured.figure) == (feature, figure)
    assert measured.distance > distance
    assert not measured.low <= measured.value <= measured.high
