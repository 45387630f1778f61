import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ml.features.groups import FEWEST_MEMBERS, Grouping, grouping, market_mean
from tests.ml.markets import no_groups

SHARES = 20
VALUES = arrays(np.float64, (4, SHARES), elements=st.one_of(st.floats(-1.5, 1.5), st.just(np.nan)))
WEIGHTS = arrays(np.float64, (4, SHARES), elements=st.one_of(st.floats(0, 1e6), st.just(np.nan)))
CODES = arrays(np.intp, SHARES, elements=st.integers(-1, 3))


def naive(values, codes, weights):
    result = np.full_like(values, np.nan)
    for day, share in np.ndindex(values.shape):
        counted = np.isfinite(values[day]) & (weights[day] > 0)
        members = counted & (codes == codes[share])
        if codes[share] < 0 or members.sum() < FEWEST_MEMBERS:
            members = counted
        if members.any():
            result[day, share] = np.average(values[day, members], weights=weights[day, members])
    return result


@given(VALUES, CODES)
def test_means_equal_the_plain_computation(values, codes):
    expected = naive(values, codes, np.ones_like(values))
    np.testing.assert_allclose(Grouping(codes).means(values), expected, rtol=0, atol=1e-10)


@given(VALUES, CODES, WEIGHTS)
def test_weighted_means_equal_the_plain_computation(values, codes, weights):
    weights = np.where(weights < 1, 0.0, weights)
    np.testing.assert_allclose(Grouping(codes).means(values, weights), naive(values, codes, weights), rtol=0, atol=1e-6)


@given(VALUES, CODES, WEIGHTS, st.permutations(range(SHARES)))
def test_neither_order_nor_later_listings_change_a_bit(values, codes, weights, order):
    order = np.array(order)
    unlisted = np.full((4, 3), np.nan)
    more = np.hstack([values[:, order], unlisted]), np.hstack([weights[:, order], unlisted])
    for sign in (None, 1):
        before = Grouping(codes).means(values, None if sign is None else weights)
        # Numbers of groups are of no importance either, nor is a group that nobody trades yet.
        regrouped = Grouping(np.append(np.where(codes < 0, -1, 10 - codes)[order], [5, 10, -1]))
        after = regrouped.means(more[0], None if sign is None else more[1])
        assert after[:, :SHARES].tobytes() == before[:, order].tobytes()


def test_sums_stay_exact_on_a_market_of_ten_thousand_shares():
    random = np.random.default_rng(1)
    values, weights = random.normal(scale=0.5, size=(2, 10_000)), random.lognormal(5, 2, size=(2, 10_000))
    order = random.permutation(10_000)
    whole = Grouping(np.zeros(10_000, dtype=np.intp))
    assert market_mean(values).tobytes() == market_mean(values[:, order]).tobytes()
    assert (
        whole.means(values, weights)[:, 0].tobytes() == whole.means(values[:, order], weights[:, order])[:, 0].tobytes()
    )


def test_a_group_of_five_is_measured_against_all_shares():
    values = np.arange(11.0)[None, :] / 100
    means = Grouping(np.array([0] * 5 + [1] * 6)).means(values)[0]
    np.testing.assert_allclose(means, [0.05] * 5 + [0.075] * 6, atol=1e-10)  # 0 … 10: 5; 5 … 10: 7.5


def test_those_that_do_not_trade_are_not_members_of_the_day():
    values = np.tile(np.arange(12.0), (2, 1)) / 100
    values[1, 0] = np.nan
    means = Grouping(np.array([0] * 6 + [1] * 6)).means(values)
    np.testing.assert_allclose(means[:, 0], [0.025, (1 + 11) / 2 / 100], atol=1e-10)
    np.testing.assert_allclose(means[:, 11], [0.085, 0.085], atol=1e-10)


def test_a_day_without_a_value_has_no_mean():
    assert np.isnan(Grouping(np.zeros(7, dtype=np.intp)).means(np.full((1, 7), np.nan))).all()


def test_symbols_without_a_group_have_none():
    groups = pd.DataFrame({"symbol": ["A", "B", "C"], "sector": ["Y", None, "X"], "industry": None})
    symbols = pd.Index(["A", "B", "C", "D"])
    assert grouping(groups, "sector", symbols).codes.tolist() == [1, -1, 0, -1]
    assert grouping(groups, "industry", symbols).codes.tolist() == [-1] * 4
    assert grouping(no_groups(), "sector", symbols).codes.tolist() == [-1] * 4
