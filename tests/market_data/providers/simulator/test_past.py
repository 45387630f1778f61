"""The past by blocks is the past as a whole, wherever one begins to ask and whoever generated what came before."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pytest

from market_data.providers.simulator import EPOCH, Simulator, simulated_sessions
from market_data.providers.simulator.companies import Companies, companies
from market_data.providers.simulator.incidents import Placed
from market_data.providers.simulator.market import PRICES, History, history
from market_data.providers.simulator.past import BLOCK_SESSIONS, GeneratedPast

DAYS = simulated_sessions(EPOCH, date(2023, 3, 31))
SPLIT = Placed("split", 30, 0, 0, (10, 2))
ASKED = (BLOCK_SESSIONS * 5 + 7, 3, BLOCK_SESSIONS, BLOCK_SESSIONS - 1, BLOCK_SESSIONS * 4 + 49, len(DAYS) - 1)


@pytest.fixture(scope="module")
def market() -> Companies:
    return companies(40, 11, EPOCH)


def is_whole(past: GeneratedPast, whole: History, order: Sequence[int] = ASKED) -> bool:
    """Whether the chronicle says the same as one generated in one go."""
    for at in order:
        for name in PRICES:
            np.testing.assert_array_equal(past.prices[name][at], whole.prices[name][at])
        for name in ("volume", "trades", "delivered", "status"):
            np.testing.assert_array_equal(getattr(past, name)[at], getattr(whole, name)[at])
    return True


def test_blocks_in_any_order_are_the_whole(market):
    assert is_whole(GeneratedPast(market, 11, DAYS, [SPLIT]), history(market, 11, DAYS, [SPLIT]))


def test_another_process_begins_at_the_block_before(market, tmp_path):
    whole = history(market, 11, DAYS, [SPLIT])
    is_whole(GeneratedPast(market, 11, DAYS, [SPLIT], tmp_path), whole)
    for path in tmp_path.glob("*.npz"):
        if not path.name.startswith(f"{BLOCK_SESSIONS * 4}-"):
            path.write_bytes(b"PK nothing")
    assert is_whole(GeneratedPast(market, 11, DAYS, [SPLIT], tmp_path), whole, [BLOCK_SESSIONS * 4 + 3])
    assert (tmp_path / next(tmp_path.glob("50-*"))).read_bytes() == b"PK nothing", "the blocks before were not run"


def test_damaged_states_are_made_again(market, tmp_path):
    whole = history(market, 11, DAYS, [])
    is_whole(GeneratedPast(market, 11, DAYS, [], tmp_path), whole)
    for path in tmp_path.glob("*.npz"):
        path.write_bytes(path.read_bytes()[:100])
    assert is_whole(GeneratedPast(market, 11, DAYS, [], tmp_path), whole)


def test_a_market_to_which_something_else_happened_takes_no_state_of_another(market, tmp_path):
    is_whole(GeneratedPast(market, 11, DAYS, [], tmp_path), history(market, 11, DAYS, []))
    assert is_whole(GeneratedPast(market, 11, DAYS, [SPLIT], tmp_path), history(market, 11, DAYS, [SPLIT]))
    other = companies(40, 12, EPOCH)
    assert is_whole(GeneratedPast(other, 12, DAYS, [], tmp_path), history(other, 12, DAYS, []))


def test_statements_since_a_day_are_those_published_after_it():
    market = Simulator(symbols=60, seed=5)
    order, since = date(2024, 3, 8), date(2023, 11, 20)
    every = market.statements(order)
    newer = every.loc[every["published_on"] > since].reset_index(drop=True)
    assert len(newer) > 50
    assert market.statements(order, since).equals(newer)
    assert market.statements(order, order).empty
