"""New, kept and left: what a list says against the one before."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocks.picks import standings
from stocks.picks.screening import failures, load_filters, ranked
from stocks.picks.standings import ListBefore, Listed
from tests.stocks.picks.test_screening import day

FILTERS = load_filters(Path(__file__).parents[3] / "config" / "stock_filters.yaml", {})
EARLIER, BEFORE, TODAY = date(2026, 4, 21), date(2026, 4, 29), date(2026, 4, 30)


def before(**shares):
    return ListBefore(7, BEFORE, {symbol: Listed(f"{symbol} Limited", *facts) for symbol, facts in shares.items()})


def left(frame, last, *, strategy="balanced", limit=50, keep_rank=50, left_out=()):
    ranking = ranked(frame, strategy, FILTERS, last.shares if last else (), limit=limit, keep_rank=keep_rank)
    facts = standings.departures(
        ranking, last, frame, strategy, FILTERS, left_out=dict(left_out), keep_rank=max(keep_rank, limit)
    )
    return ranking, facts


def test_a_pick_is_new_or_kept_since_the_first_session_of_its_stay():
    last = before(S1=(1, 1, EARLIER), GONE=(2, 2, EARLIER))
    ranking, _ = left(day({}, {}), last)
    picks = standings.with_standings(ranking.picks, last, TODAY).set_index("symbol")
    assert picks["standing"].to_dict() == {"S0": "new", "S1": "kept"}
    assert picks["listed_since"].to_dict() == {"S0": TODAY, "S1": EARLIER}
    assert picks["place"].to_dict() == {"S0": 1, "S1": 2}


def test_without_a_list_before_all_are_new():
    picks = standings.with_standings(left(day({}, {}), None)[0].picks, None, TODAY)
    assert set(picks["standing"]) == {"new"}
    assert set(picks["listed_since"]) == {TODAY}
    assert left(day({}), None)[1] == []


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.3184210526, "0.318"), (0.4999, "0.4999"), (0.25, "0.25")],
)
def test_a_failed_threshold_is_stated_with_as_many_digits_as_it_takes(value, words):
    [share] = day({"ml_prediction_score": value}).to_dict("records")
    assert failures(share, "balanced", FILTERS) == [f"prediction {words} is below 0.5"]


def test_what_left_says_where_it_stands_now_or_why_it_no_longer_passes():
    frame = day(
        {"ml_prediction_score": 0.9},
        {"ml_prediction_score": 0.8},
        {"ml_prediction_score": 0.7},
        {"rsi_14": 71.5, "roe": 9.0},
        {"ml_risk_score": None},
    )
    shares = {
        "S2": (3, 5, EARLIER),
        "S3": (1, None, BEFORE),
        "S4": (4, 4, BEFORE),
        "BE": (5, 5, BEFORE),
        "QUIET": (6, 6, BEFORE),
    }
    _, facts = left(frame, before(**shares), limit=2, keep_rank=2, left_out={"BE": "not tradable: series BE"})
    assert [(row["symbol"], row["last_rank"], row["last_place"], row["place"], row["reason"]) for row in facts] == [
        ("S2", 3, 5, 3, "fell to place 3; a share stays down to place 2"),
        ("S3", 1, None, None, "RSI 71.5 is above 70, return on equity 9 is below 10"),
        ("S4", 4, 4, None, "no risk score"),
        ("BE", 5, 5, None, "not tradable: series BE"),
        ("QUIET", 6, 6, None, "did not trade"),
    ]
    assert facts[0]["listed_since"] == "2026-04-21"
    assert facts[0]["stock_name"] == "S2 Limited"


@given(
    held=st.sets(st.integers(0, 40), max_size=12),
    prediction=st.permutations(range(40)),
    keep_rank=st.integers(12, 40),
)
def test_nothing_is_lost_or_listed_twice(held, prediction, keep_rank):
    """Every share of the list before is kept or has left, and only shares beyond the keep band leave by their place."""
    frame = day(*({"ml_prediction_score": 0.5 + place / 100} for place in prediction))
    last = before(**{f"S{number}": (1, 1, EARLIER) for number in held})
    ranking, facts = left(frame, last, limit=12, keep_rank=keep_rank)
    picks = standings.with_standings(ranking.picks, last, TODAY)
    kept = set(picks.loc[picks["standing"].eq("kept"), "symbol"])
    gone = {row["symbol"] for row in facts}
    assert kept | gone == set(last.shares)
    assert not kept & gone
    assert len(picks) == 12
    assert all(row["place"] is None or row["place"] > keep_rank for row in facts)
    assert picks["place"].is_monotonic_increasing
