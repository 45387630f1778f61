"""A backtest from the tables."""

import json
import threading
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection

from market_data.models import DailyBar
from ml.models import PickPlace
from portfolio.backtest import content as contents
from portfolio.backtest.content import backtest
from portfolio.backtest.lists import wanted_symbols
from portfolio.backtest.parameters import BacktestError, parameters
from portfolio.backtest.report_text import report_text
from stocks.models import Stock, SymbolChange
from tests.portfolio.backtest.markets import START, Day, weekdays
from tests.portfolio.backtest.stored import event, places, store, without_places

pytestmark = pytest.mark.django_db
PLAIN: dict[str, Any] = {"charges": False, "impact": False, "settlement": "ideal", "holdings": 2, "keep": 2, "every": 1}


def run(**changed: Any) -> dict[str, Any]:
    given = {"strategy": "model", "first": "2025-01-06", "last": "2025-03-31", "capital": "1000"}
    return backtest(parameters(given | PLAIN | changed), lambda done, total: None)


def test_one_object_that_json_can_hold():
    days = store({"A": [10, 10, 12, 15], "B": [20, 20, 20, 10], "NIFTYBEES": [100, 100, 101, 102]}, ["A", "B"])
    content = run()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    # Slot 500: 50 A at 10 and 25 B at 20 on session 1; 50 × 15 + 25 × 10 = 1000 at the end.
    assert content["equity"] == [
        [days[0].isoformat(), "1000.00"],
        [days[1].isoformat(), "1000.00"],
        [days[2].isoformat(), "1100.00"],
        [days[3].isoformat(), "1000.00"],
    ]
    assert content["trades"] == [
        {"session": days[1].isoformat(), "symbol": "A", "side": "buy", "quantity": 50, "price": "10.00"},
        {"session": days[1].isoformat(), "symbol": "B", "side": "buy", "quantity": 25, "price": "20.00"},
    ]
    assert content["holdings"][0] == {
        "symbol": "A", "quantity": 50, "last_close": "15.00", "last_session": days[3].isoformat()
    }  # fmt: skip
    assert (content["cash"], content["usable_cash"], content["impact"]) == ("0.00", "0.00", "0.00")
    assert set(content["charges"].values()) == {"0.00"}
    assert content["lists"] == {"first": days[0].isoformat(), "sessions": 4, "without": []}
    # Equal weight: 0 %; (20 % + 0) / 2; (25 % − 50 %) / 2. The fund: 0, 1 %, 102 / 101.
    assert [value for _, value in content["yardsticks"]["equal_weight"]] == ["1000.00", "1000.00", "1100.00", "962.50"]
    assert [value for _, value in content["yardsticks"]["niftybees"]] == ["1000.00", "1000.00", "1010.00", "1020.00"]
    assert content["monthly"][0]["month"] == "2025-01"
    assert content["half_years"][0]["half_year"] == "2025-I"
    assert content["figures"]["end_value"] == content["figures"]["end_value_at_nothing"] == "1000.00"
    assert content["figures"]["total_return_pct"] == pytest.approx(0)
    assert content["parameters"]["broker"] is None


def test_parts_of_shares_are_texts_with_all_their_decimals():
    store({"A": [3, 3, 3]})
    content = run(fractional=True)
    assert content["trades"][0]["quantity"].startswith("166.6666666666")
    assert content["yardsticks"]["niftybees"] is None
    assert content["figures"]["excess_niftybees_pct"] is None


def test_the_hash_covers_places_bars_and_events_and_nothing_later():
    days = store({"A": [10] * 5, "B": [10] * 5})
    before = run(last=days[3].isoformat())
    places(days[4] + timedelta(days=30), ["B", "A"])
    assert run(last=days[3].isoformat())["data_hash"] == before["data_hash"]
    event("A", days[2], "dividend")
    changed = run(last=days[3].isoformat())
    assert changed["data_hash"] != before["data_hash"]
    assert changed["equity"] == before["equity"]


@pytest.mark.django_db(transaction=True)
def test_what_an_evening_writes_meanwhile_is_not_read(monkeypatch: pytest.MonkeyPatch):
    days = store({"A": [10] * 5, "B": [10] * 5})
    before = run(last=days[4].isoformat())

    def rewrite() -> None:
        DailyBar.objects.update(close=12, high=12, adj_close=12)
        connection.close()

    def with_an_evening(*given: Any) -> list[str]:
        thread = threading.Thread(target=rewrite)
        thread.start()
        thread.join()
        return wanted_symbols(*given)

    monkeypatch.setattr(contents, "wanted_symbols", with_an_evening)
    assert run(last=days[4].isoformat()) == before
    assert run(last=days[4].isoformat())["equity"] != before["equity"]


def test_events_that_are_not_booked_are_those_of_what_was_held_at_the_close_before():
    days = store({"A": [10] * 8, "B": [10] * 8}, ["A"])
    event("A", days[1], "dividend")  # bought on that day's opening: not held at the close before
    event("A", days[2], "dividend")
    event("A", days[4] + timedelta(days=1), "rights")  # a Saturday
    event("A", days[5], "dividend", status="rejected")
    event("A", days[5], "split", factor=0.5)
    event("A", days[6], "demerger")
    event("A", days[7], "demerger")
    event("A", days[7], "demerger", factor=0.9, status="inferred", purpose="Measured at the opening")
    event("B", days[2], "dividend")
    quantity = {"symbol": "A", "quantity": 50}
    assert run()["events_not_booked"] == [
        {"ex_date": days[2].isoformat(), "kind": "dividend", "purpose": "Dividend", **quantity},
        {"ex_date": "2025-01-11", "kind": "rights", "purpose": "Rights", **quantity},
        {"ex_date": days[6].isoformat(), "kind": "demerger", "purpose": "Demerger", **quantity},
    ]


def test_events_are_known_until_the_list_of_them_ends():
    days = store({"A": [10] * 40}, ["A"])
    assert run(last=days[39].isoformat())["events_known_until"] is None
    for day in (days[1], days[9], days[30]):  # 29 days lie between the last two
        event("B", day, "dividend")
    assert run(last=days[39].isoformat())["events_known_until"] == days[9].isoformat()


def test_what_does_not_trade_any_more_is_listed_and_counted_both_ways():
    store({"A": [10, 10, 12, *[None] * 20], "B": [10] * 23, "C": [10, 10, 10, 10, *[None] * 19]})
    content = run(holdings=3, keep=3)
    # A's last bar is twenty sessions before the end, C's nineteen. 33 shares of each for 990.
    assert content["untraded"] == [
        {"symbol": "A", "quantity": 33, "last_session": "2025-01-08", "last_close": "12.00"},
    ]
    assert content["figures"]["end_value"] == f"{10 + 33 * (12 + 10 + 10)}.00"
    assert content["figures"]["end_value_at_nothing"] == f"{10 + 33 * (10 + 10)}.00"


def test_a_renamed_share_goes_on_under_its_new_symbol():
    days = store({"NEW": [10, 11, 12, 13]})
    PickPlace.objects.filter(session__lt=days[2]).update(symbol="OLD")
    SymbolChange.objects.create(from_symbol="OLD", to_symbol="NEW", date=days[2])
    content = run(holdings=1, keep=1)
    assert [(trade["symbol"], trade["side"]) for trade in content["trades"]] == [("NEW", "buy")]


def test_a_share_that_is_split_twice_in_the_span_is_worth_what_it_was():
    store({"A": [Day(100, factor=0.1), Day(100, factor=0.1), Day(50, factor=0.2), 10, 10]})
    content = run(holdings=1, keep=1)
    assert content["holdings"][0]["quantity"] == 100
    assert {value for _, value in content["equity"]} == {"1000.00"}


def test_sessions_without_a_list_are_named_with_their_reason():
    days = store({"A": [10] * 4})
    without_places(days[0], "no share was tradable")
    PickPlace.objects.filter(session=days[2]).delete()
    lists = run()["lists"]
    assert lists["without"] == [
        [days[0].isoformat(), "no share was tradable"],
        [days[2].isoformat(), "no list was computed"],
    ]
    assert (lists["first"], lists["sessions"]) == (days[1].isoformat(), 2)


def test_published_places_and_those_of_other_recipes_are_left_out():
    days = store({"A": [10] * 4, "B": [10] * 4}, ["A"])
    places(days[0], ["B"], source="published")
    PickPlace.objects.filter(session=days[1]).update(recipe="other")
    assert run(holdings=1, keep=1)["lists"]["without"] == [[days[1].isoformat(), "no list was computed"]]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"first": "2024-01-01", "last": "2024-02-01"}, "ends on 2024-02-01, before the first stored bars"),
        ({"first": "2026-01-01", "last": "2026-02-01"}, "after the last stored bars of 2025-01-09"),
        ({"first": "2025-01-04", "last": "2025-01-05"}, "ends on 2025-01-05, before the first stored bars"),
        ({"strategy": "growth"}, "The list growth has no places from 2025-01-06 to 2025-03-31 .* it has none at all"),
        ({"capital": "15"}, "capital 15 buys no share .* gets ₹7.50, the cheapest share cost ₹10.00"),
    ],
)
def test_what_cannot_be_traded_is_a_sentence(changed, sentence):
    store({"A": [10] * 4, "B": [20] * 4})
    with pytest.raises(BacktestError, match=sentence):
        run(**changed)


def test_a_span_between_two_sessions_is_refused():
    store({"A": [10] * 8})
    with pytest.raises(BacktestError, match="No session lies from 2025-01-11 to 2025-01-12"):
        run(first="2025-01-11", last="2025-01-12")


def test_a_span_before_the_first_list_names_its_day():
    days = store({"A": [10] * 4})
    PickPlace.objects.filter(session__lt=days[3]).delete()
    with pytest.raises(BacktestError, match=f"it has places since {days[3]}"):
        run(last=days[2].isoformat())


def test_doubled_places_are_refused():
    days = store({"A": [10] * 4, "B": [10] * 4})
    PickPlace.objects.filter(session=days[2]).update(place=1)
    with pytest.raises(BacktestError, match=f"The list model of {days[2]} has the place 1 twice"):
        run()


def test_without_bars_or_champion_there_is_nothing_to_trade():
    with pytest.raises(BacktestError, match="No recipe is champion yet"):
        run()
    days = store({"A": [10] * 2})
    assert weekdays(2) == days == [START, date(2025, 1, 7)]
    assert run(first=days[1].isoformat(), last=days[1].isoformat())["trades"] == []


def test_limits_refuse_purchases_and_the_content_says_which():
    days = store({"A": [10, 10, 12], "B": [20, 20, 20], "NIFTYBEES": [100, 100, 101]}, ["A", "B"])
    assert "refused" not in run()
    Stock.objects.filter(symbol__in=("A", "B")).update(sector="Power")
    content = run(limits={"sector_share": "0.5"})
    assert [trade["symbol"] for trade in content["trades"]] == ["A"]
    refusal = {"symbol": "B", "quantity": 25, "checks": ["sector_share"]}
    assert content["refused"] == [{"session": day.isoformat()} | refusal for day in days[1:]]
    assert content["parameters"]["limits"] == {"sector_share": "0.5"}
    assert content["data_hash"] != run()["data_hash"]
    assert "Within limits: sector_share 0.5; they refused 2 purchases." in report_text(content)
