"""What changed between two lists, by hand and as a property."""

from datetime import date
from typing import cast

import pytest
from django.core.cache import cache
from hypothesis import given
from hypothesis import strategies as st

from stocks.models import SymbolChange
from stocks.picks.change_queries import changes_of
from stocks.picks.changes import list_changes
from stocks.picks.screening import STRATEGIES, contributions
from stocks.picks.standings import Departure
from tests.published import SESSION, pick, publish, supersede

BEFORE = date(2026, 4, 29)


def listed(symbol, score, parts, **facts):
    return pick(symbol, selection_score=score, score_parts=parts, **{"rank": 1, "standing": "kept", **facts})


def test_entries_departures_and_score_changes_by_hand():
    before = [listed("AAA", 0.8, {"prediction": 0.9, "safety": 0.8, "confidence": 0.7, "low volatility": 0.6})]
    after = [
        listed("AAA", 0.71, {"prediction": 0.9, "safety": 0.5, "confidence": 0.6, "low volatility": 0.6}, rank=3),
        listed("BBB", 0.75, {"prediction": 0.75}, standing="new"),
    ]
    # .45, .25, .15 and .15 of the parts: 0.405 + 0.2 + 0.105 + 0.09, then 0.405 + 0.125 + 0.09 + 0.09
    gone = cast(Departure, {"symbol": "GONE", "place": 151, "reason": "fell"})
    changes = list_changes("balanced", after, before, [gone], BEFORE)
    assert [entry["symbol"] for entry in changes.entries] == ["BBB"]
    assert changes.departures == [gone]
    assert changes.summary == "1 new, 1 left, 1 stayed"
    [change] = changes.score_changes
    assert (change.symbol, change.rank_before, change.rank) == ("AAA", 1, 3)
    assert change.change == pytest.approx(-0.09)
    assert [move.part for move in change.moves] == ["safety", "confidence", "prediction", "low volatility"]
    assert [move.points for move in change.moves] == pytest.approx([-0.075, -0.015, 0, 0])
    assert change.words == (
        "Score 0.800 → 0.710 (−0.090): safety 0.80 → 0.50 (−0.075), confidence 0.70 → 0.60 (−0.015)."
    )


def test_a_part_that_became_known_is_named_with_what_it_moved():
    before = [listed("AAA", 0.5, {"prediction": 0.5})]
    after = [listed("AAA", 0.6, {"prediction": 0.5, "safety": 0.78})]
    [change] = list_changes("balanced", after, before, [], BEFORE).score_changes
    # 0.5 counts 45/70 instead of all; 0.78 × 25/70 is new
    assert {move.part: move.points for move in change.moves} == pytest.approx(
        {"prediction": 0.5 * 45 / 70 - 0.5, "safety": 0.78 * 25 / 70}
    )
    assert "safety not known → 0.78 (+0.279)" in change.words


def test_what_the_parts_do_not_explain_is_stated():
    before, after = [listed("AAA", 0.5, {"prediction": 0.5})], [listed("AAA", 0.7, {"prediction": 0.6})]
    [change] = list_changes("model", after, before, [], BEFORE).score_changes
    assert change.words == (
        "Score 0.500 → 0.700 (+0.200): prediction 0.50 → 0.60 (+0.100), not explained by the parts (+0.100)."
    )


def test_an_unmoved_score_has_no_parts_to_name():
    same = listed("AAA", 0.5, {"prediction": 0.5})
    [change] = list_changes("model", [same], [same], [], BEFORE).score_changes
    assert change.words == "Score 0.500 → 0.500 (+0.000)."


def test_a_first_list_has_no_entries_as_there_was_none_to_enter():
    changes = list_changes("model", [listed("AAA", 0.5, {"prediction": 0.5}, standing="new")], [], [], None)
    assert changes == (None, [], [], [])


@st.composite
def score_parts(draw, strategy):
    names = draw(st.sets(st.sampled_from(list(STRATEGIES[strategy].parts)), min_size=1))
    return {name: draw(st.floats(0, 1)) for name in names}


@given(data=st.data(), strategy=st.sampled_from(list(STRATEGIES)))
def test_the_moves_of_the_parts_add_up_to_the_change(data, strategy):
    two = [data.draw(score_parts(strategy)) for _ in range(2)]
    before, after = ([listed("AAA", sum(contributions(strategy, parts).values()), parts)] for parts in two)
    [change] = list_changes(strategy, after, before, [], BEFORE).score_changes
    assert sum(move.points for move in change.moves) == pytest.approx(change.change, abs=1e-12)
    assert "not explained" not in change.words
    sizes = [abs(move.points) for move in change.moves]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.django_db
def test_a_publication_is_compared_with_the_version_it_was_compared_with():
    """Also when that one was superseded since, and a share has another symbol now."""
    cache.clear()
    SymbolChange.objects.create(from_symbol="OLD", to_symbol="NEW", date=SESSION, proof="isin")
    before = publish("model", [listed("OLD", 0.9, {"prediction": 0.9})], session=BEFORE)
    supersede(before)
    publish("model", [listed("NEW", 0.1, {"prediction": 0.1})], session=BEFORE, version=2)
    left = [{"symbol": "GONE", "place": None, "reason": "did not trade"}]
    publication = publish("model", [listed("NEW", 0.8, {"prediction": 0.8})], previous=before, departures=left)
    changes = changes_of(publication)
    assert changes.previous_session == BEFORE
    assert changes.departures == left
    [change] = changes.score_changes
    assert (change.symbol, change.score_before, change.score) == ("NEW", 0.9, 0.8)


@pytest.mark.django_db
def test_a_publication_without_a_list_before_has_no_changes():
    cache.clear()
    assert changes_of(publish("model", [pick("AAA")])) == (None, [], [], [])
