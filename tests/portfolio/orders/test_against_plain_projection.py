"""The projection and a plain second one agree on random histories, whatever arrives first."""

import json
import random
from collections import Counter
from collections.abc import Iterator

import pytest

from portfolio.orders.events import events_of
from portfolio.orders.projection import Alarm, Pending, State
from portfolio.orders.replay import as_object, replayed
from tests.portfolio.orders.histories import Line, random_history, without_ties
from tests.portfolio.orders.plain_projection import plain_projection


@pytest.mark.parametrize("number", [300, pytest.param(10_000, marks=pytest.mark.long)])
def test_both_agree_on_random_histories_that_reach_everything(number: int) -> None:
    rng = random.Random(f"{number} histories")
    histories = {f"o{n:05}": without_ties(random_history(rng, f"o{n:05}")) for n in range(number)}

    orders = as_object(replayed(events_of(mixed(rng, histories))))["orders"]

    reached = Counter[object]()
    for order, lines in histories.items():
        assert orders[order] == plain_projection(lines), lines
        reached.update((orders[order]["state"], orders[order]["pending"], *orders[order]["alarms"]))
    assert orders.keys() == histories.keys()
    assert set(reached) == {*State, *Pending, "", *Alarm}


def mixed(rng: random.Random, histories: dict[str, list[Line]]) -> Iterator[bytes]:
    """All lines in one file, in any order."""
    lines = [json.dumps(line).encode() for history in histories.values() for line in history]
    rng.shuffle(lines)
    yield from lines
