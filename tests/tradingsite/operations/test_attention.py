"""Every combination of facts has the colour of its strongest, and what is old news never makes it amber."""

from itertools import chain, combinations

from tradingsite.operations.attention import COLOURS, Colour, Fact, lamp

STANDING = {Fact.PICKS_IN_ORDER, Fact.STANDING_EXCLUSIONS, Fact.SOURCE_NOT_IN_USE}
TONIGHT = {Fact.NEW_EXCLUSIONS, Fact.RUN_UNRESOLVED, Fact.EVENING_HELD, Fact.SOURCE_OLD}
BROKEN = {Fact.ORDERS_UNCLEAR, Fact.NO_PICKS, Fact.PICKS_NOT_TRUSTED, Fact.CLUSTER_DEAD}


def test_every_fact_has_its_colour():
    assert set(COLOURS) == set(Fact)
    assert STANDING | TONIGHT | BROKEN | {Fact.UNDECIDED} == set(Fact)


def test_all_combinations_of_facts():
    for facts in map(set, chain.from_iterable(combinations(Fact, size) for size in range(1, len(Fact) + 1))):
        if facts & BROKEN:
            assert lamp(facts) is Colour.RED
        elif facts & TONIGHT:
            assert lamp(facts) is Colour.AMBER
        elif Fact.UNDECIDED in facts:
            assert lamp(facts) is Colour.GREY
        else:
            assert lamp(facts) is Colour.GREEN
    assert lamp(()) is Colour.GREY
