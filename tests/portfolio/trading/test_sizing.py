"""Which shares are wanted, and how many an amount buys."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from portfolio.trading.sizing import Sizing, target

LIST = [("A", 1), ("B", 2), ("C", 3), ("D", 4), ("E", 5)]
amounts = st.integers(1, 10**9).map(lambda paise: Decimal(paise) / 100)


def test_an_empty_account_takes_the_best():
    assert target(LIST, set(), 2, 3) == ["A", "B"]


def test_held_shares_stay_down_to_keep_and_the_best_others_fill_up():
    assert target(LIST, {"C", "D"}, 2, 3) == ["A", "C"]
    assert target(LIST, {"C", "D"}, 2, 4) == ["C", "D"]


def test_of_too_many_held_shares_the_best_stay():
    assert target(LIST, {"B", "C", "D"}, 2, 4) == ["B", "C"]


def test_a_short_list_leaves_slots_empty():
    assert target([("B", 1)], {"Z"}, 3, 5) == ["B"]


@given(amounts, amounts, st.booleans(), st.booleans())
def test_the_most_that_is_affordable_fits_and_a_share_more_does_not(free, price, reserve, whole):
    sizing = Sizing(whole=whole, reserve=reserve)
    most = sizing.affordable(free, price)
    if most > 0:
        assert sizing.cost(most, price) <= free + Decimal("1e-12")
    if whole:
        assert most == most // 1
        assert sizing.cost(most + 1, price) > free


@given(amounts, st.integers(1, 5000), st.integers(1, 10**5).map(Decimal), st.booleans())
def test_the_fitting_quantity_is_the_largest_at_its_own_price(free, wanted, steepness, reserve):
    sizing = Sizing(whole=True, reserve=reserve)

    def price(quantity):
        return (100 * (1 + (quantity / steepness).sqrt() / 10)).quantize(Decimal("0.01"))

    fits = sizing.fitting(Decimal(wanted), free, price)
    assert 0 <= fits <= wanted
    if fits:
        assert sizing.cost(fits, price(fits)) <= free
    if fits < wanted:
        assert sizing.cost(fits + 1, price(fits + 1)) > free
