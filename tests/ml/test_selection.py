"""Publications: one in force per strategy, superseded by the next, restored by a rollback, all strategies or none."""

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from django.db import IntegrityError, connection, transaction

from market_data.models import PipelineRun
from ml import selection
from ml.selection import PICK_COLUMNS, DayOfPicks
from stocks.models import Publication, SuggestedStock
from stocks.picks import standings
from stocks.picks.queries import stored_picks
from stocks.storage import bulk
from tests.ml.scoreboard.test_queries import store
from tests.published import PICK

pytestmark = pytest.mark.django_db
SESSION, NEXT = date(2026, 4, 30), date(2026, 5, 4)
AT = datetime(2026, 4, 30, 20, 45, tzinfo=UTC)


def picks(*symbols: str, **facts: Any) -> pd.DataFrame:
    rows = [{**PICK, **facts, "symbol": symbol, "rank": rank} for rank, symbol in enumerate(symbols, 1)]
    return pd.DataFrame(rows).reindex(columns=list(PICK_COLUMNS)) if rows else pd.DataFrame(columns=list(PICK_COLUMNS))


def publish(run_id: str, model_id: str | None = "m", **strategies: pd.DataFrame) -> int:
    reasons = {name: "" if len(rows) else "nothing to trust" for name, rows in strategies.items()}
    return selection.publish_picks(DayOfPicks(SESSION, NEXT, model_id, strategies, reasons), run_id, AT)


def in_force() -> dict[str, list[str]]:
    lists: dict[str, list[str]] = {}
    for publication in Publication.objects.filter(superseded_at=None):
        symbols = list(publication.picks_in_force.order_by("rank").values_list("symbol", flat=True))
        assert symbols == [row["symbol"] for row in publication.picks]
        assert publication.count == len(publication.picks)
        lists[publication.strategy] = symbols
    assert SuggestedStock.objects.count() == sum(map(len, lists.values()))
    connection.check_constraints()
    return lists


def undo(run_id: str, sequence: int) -> None:
    """Roll a run back as the engine does: tables first, then publications."""
    PipelineRun.objects.create(
        id=run_id, sequence=sequence, job="selection", provider_kind="simulated", status="rolled_back"
    )
    bulk.roll_back("daily_suggested_stocks", run_id)
    selection.restore_publications(run_id, AT)


def test_each_strategy_has_its_list_in_force() -> None:
    assert publish("r1", growth=picks("AAA", "BBB"), value=picks("BBB")) == 3
    assert in_force() == {"growth": ["AAA", "BBB"], "value": ["BBB"]}
    assert set(Publication.objects.values_list("version", "valid_for", "model_id")) == {(1, NEXT, "m")}


def test_a_new_version_supersedes_and_the_old_list_stays_as_it_was_published() -> None:
    publish("r1", growth=picks("AAA", "BBB"))
    publish("r2", growth=picks("BBB", "CCC"))
    assert in_force() == {"growth": ["BBB", "CCC"]}
    first = Publication.objects.get(version=1)
    assert first.superseded_at == AT
    assert [row["symbol"] for row in first.picks] == ["AAA", "BBB"]


def test_an_abstention_is_published_with_its_reason() -> None:
    publish("r1", None, growth=picks())
    empty = Publication.objects.get()
    assert (empty.count, empty.reason, empty.model_id, empty.picks) == (0, "nothing to trust", None, [])


def test_missing_values_are_null_in_the_table_and_in_the_copy() -> None:
    publish("r1", growth=picks("AAA", pe_ratio=np.nan, sector=None))
    assert Publication.objects.get().picks[0]["pe_ratio"] is None
    assert SuggestedStock.objects.get().pe_ratio is None


def test_the_parts_of_a_score_are_data_in_the_table_and_in_the_copy() -> None:
    parts = pd.Series([{"prediction": 0.1 + 0.2, "safety": 1.0}, None], dtype=object)
    rows = picks("AAA", "BBB").assign(score_parts=parts)
    publish("r1", growth=rows)
    assert list(SuggestedStock.objects.order_by("rank").values_list("score_parts", flat=True)) == [
        {"prediction": 0.1 + 0.2, "safety": 1.0},
        None,
    ]
    assert SuggestedStock.objects.filter(score_parts__isnull=True).count() == 1
    assert [row["score_parts"] for row in Publication.objects.get().picks] == list(rows["score_parts"])
    publish("r2", growth=picks("CCC"))
    undo("r2", 2)
    assert SuggestedStock.objects.get(symbol="AAA").score_parts == {"prediction": 0.1 + 0.2, "safety": 1.0}


def test_standings_and_what_left_are_published_with_the_list() -> None:
    publish("r1", growth=picks("AAA", "BBB", standing="new", listed_since=SESSION))
    first = Publication.objects.get()
    left: standings.Departure = {
        "symbol": "BBB",
        "stock_name": "B",
        "last_rank": 2,
        "last_place": 2,
        "listed_since": "2026-04-30",
        "place": 151,
        "reason": "fell to place 151; a share stays down to place 150",
    }
    rows = picks("AAA", "CCC", place=7).assign(standing=["kept", "new"], listed_since=[SESSION, NEXT])
    day = DayOfPicks(
        NEXT, None, "m", {"growth": rows}, {}, previous={"growth": first.pk}, departures={"growth": [left]}
    )
    selection.publish_picks(day, "r2", AT)
    stored = Publication.objects.get(date=NEXT)
    assert (stored.previous, stored.departures) == (first, [left])
    facts = SuggestedStock.objects.filter(date=NEXT).order_by("rank")
    assert list(facts.values_list("symbol", "place", "standing", "listed_since")) == [
        ("AAA", 7, "kept", SESSION),
        ("CCC", 7, "new", NEXT),
    ]
    assert [row["listed_since"] for row in stored.picks] == ["2026-04-30", "2026-05-04"]
    # The copy of a list that is superseded holds the same.
    SuggestedStock.objects.filter(date=NEXT).delete()
    copies = stored_picks(Publication.objects.get(date=NEXT))
    assert [(row["standing"], row["listed_since"]) for row in copies] == [("kept", SESSION), ("new", NEXT)]


def test_all_strategies_or_none() -> None:
    publish("r1", growth=picks("AAA"))
    with pytest.raises(IntegrityError), transaction.atomic():
        publish("r2", growth=picks("BBB"), value=picks("AAA", stop_loss=1e6))
    assert in_force() == {"growth": ["AAA"]}


@pytest.mark.parametrize("reward_to_risk", [0.19, 0.1])
def test_a_strong_buy_that_risks_far_more_than_its_reward_cannot_be_published(reward_to_risk: float) -> None:
    facts = {"recommendation": "STRONG_BUY", "reward_to_risk": reward_to_risk}
    with pytest.raises(IntegrityError), transaction.atomic():
        publish("r1", growth=picks("AAA", **facts))
    assert publish("r1", growth=picks("AAA", **facts | {"reward_to_risk": 0.2})) == 1
    assert publish("r2", growth=picks("AAA", **facts | {"recommendation": "BUY"})) == 1


def test_costs_levels_and_chances_are_stored_in_the_table_and_in_the_copy() -> None:
    publish("r1", growth=picks("AAA"))
    names = [
        *("expected_entry", "excess_low", "excess_high", "round_trip_cost_pct"),
        *("target_probability", "stop_probability", "reward_to_risk"),
    ]
    stored = SuggestedStock.objects.values(*names).get()
    assert stored == {name: PICK[name] for name in names}
    assert {name: Publication.objects.get().picks[0][name] for name in names} == stored


def test_two_lists_in_force_are_refused_by_the_database() -> None:
    publish("r1", growth=picks("AAA"))
    publish("r2", growth=picks("BBB"))
    with pytest.raises(IntegrityError), transaction.atomic():
        Publication.objects.filter(version=1).update(superseded_at=None)


def test_a_rollback_restores_the_previous_version() -> None:
    publish("r1", growth=picks("AAA"))
    publish("r2", growth=picks("BBB"))
    undo("r2", 2)
    assert in_force() == {"growth": ["AAA"]}
    assert Publication.objects.filter(run_id="r2").exists()


def test_a_rollback_restores_an_abstention() -> None:
    publish("r1", growth=picks())
    publish("r2", growth=picks("BBB"))
    undo("r2", 2)
    assert in_force() == {"growth": []}


def test_a_rolled_back_version_is_never_restored() -> None:
    for number, symbol in enumerate(("AAA", "BBB", "CCC"), 1):
        publish(f"r{number}", growth=picks(symbol))
        if number == 2:
            undo("r2", 2)
    undo("r3", 3)
    assert in_force() == {"growth": ["AAA"]}


def test_old_picks_are_purged_and_their_list_once_it_is_judged() -> None:
    publish("r1", growth=picks("AAA"), value=picks())
    assert selection.purge_picks(SESSION) == 0
    assert selection.purge_picks(NEXT) == 1
    assert not SuggestedStock.objects.exists()
    assert Publication.objects.get().strategy == "growth"
    store(SESSION, "AAA", 1.0)
    selection.purge_picks(NEXT)
    assert not Publication.objects.exists()
