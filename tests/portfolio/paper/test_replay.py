"""Past sessions played on paper come to what a backtest computes, in all its keys."""

from collections import Counter
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from portfolio.backtest.content import backtest
from portfolio.backtest.parameters import BacktestError, Parameters
from portfolio.models import LedgerEntry, Order, Plan, Trade, TradingAccount
from portfolio.orders.evidence import Limits
from portfolio.paper.replay import paper_replay
from tests.portfolio.backtest.markets import Day, Prices, one_price
from tests.portfolio.backtest.stored import event, places
from tests.portfolio.paper.markets import trading_market

pytestmark = pytest.mark.django_db


def terms(days: list[date], **changed: Any) -> Parameters:
    given: dict[str, Any] = {"capital": Decimal(100_000), "holdings": 2, "keep": 2, "every": 2} | changed
    return Parameters("model", days[4], days[-1], **given)


def both(given: Parameters) -> dict[str, Any]:
    """What both come to, which is the same."""
    computed = backtest(given, lambda done, total: None)
    assert paper_replay(given, lambda done, total: None) == computed
    return computed


def walk(start: float, *steps: float) -> list[Day]:
    """Four sessions of history, then one for each step in percent, with an opening of its own."""
    prices = [start * (1 + step / 100) for step in (0, 1, -1, 2)]
    for step in steps:
        prices.append(prices[-1] * (1 + step / 100))
    return [Day(round(price * 0.995, 2), round(price, 2)) for price in prices]


ROTATING: Prices = {
    "A": walk(100, 1, 2, 1, 3, -1, 2, 1, 1),
    "B": walk(50, -1, 2, -1, 2, 1, 1, 2, -1),
    "C": walk(200, 1, 1, 1, 1, 1, -2, 1, 1),
}
LISTS = ("A B C", "B C A", "C A B", "A C B")


def rotate(days: list[date], lists: tuple[str, ...] = LISTS) -> None:
    """Give each second session from the fifth on the next list."""
    from ml.models import PickPlace

    PickPlace.objects.all().delete()
    for number, day in enumerate(days[4:]):
        places(day, lists[number // 2 % len(lists)].split())


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"reweigh": "equal", "every": 3}, id="equal"),
        pytest.param({"charges": False, "impact": False, "every": 3}, id="without costs"),
        pytest.param({"limits": Limits(order_value=Decimal(60_000), orders_a_day=1)}, id="limits"),
        pytest.param({"settlement": "ideal"}, id="ideal", marks=pytest.mark.long),
        pytest.param({"every": 1, "broker": "fyers"}, id="each day at fyers", marks=pytest.mark.long),
        pytest.param(
            {"limits": Limits(position_share=Decimal("0.6"), daily_loss=Decimal(1), drawdown=Decimal("0.002"))},
            id="losses",
            marks=pytest.mark.long,
        ),
    ],
)
def test_it_comes_to_what_a_backtest_computes(changed: dict[str, Any]):
    days = trading_market(ROTATING)
    rotate(days)
    content = both(terms(days, **changed))
    assert len(content["trades"]) > 2
    assert ("refused" in content) == ("limits" in changed)
    [account] = TradingAccount.objects.all()
    assert (account.is_replay, account.owner, account.kind) == (True, None, "paper")
    assert Trade.objects.filter(account=account).count() == len(content["trades"])


def test_orders_plans_fills_and_charges_are_stored():
    days = trading_market(ROTATING)
    rotate(days)
    content = both(terms(days))
    sold = [trade for trade in content["trades"] if trade["side"] == "sell"]
    assert set(Order.objects.values_list("status", flat=True)) == {"filled"}
    assert set(Plan.objects.values_list("status", "trades_on")) == {
        (Plan.PlanStatus.CARRIED_OUT, days[5]),
        (Plan.PlanStatus.CARRIED_OUT, days[7]),
        (Plan.PlanStatus.CARRIED_OUT, days[9]),
        (Plan.PlanStatus.CARRIED_OUT, days[11]),
    }
    kinds = Counter(LedgerEntry.objects.values_list("kind", flat=True))
    assert (kinds["deposit"], kinds["fill"], kinds["dp_charge"]) == (1, len(content["trades"]), len(sold))


def test_splits_bonuses_and_fractions():
    halved = [Day(50.25, 51, factor=1.0), Day(51.5, 52), Day(52, 53), Day(53, 52)]
    before = [Day(day.open, day.close, factor=0.5) for day in walk(100, 1, 2, 1, 2)]
    days = trading_market({"A": [*before, *halved], "B": walk(70, 1, -1, 2, 1, 1, 1, -1, 1)})
    event("A", days[8], "split", factor=0.5, purpose="Split")
    both(terms(days, every=4))
    entry = LedgerEntry.objects.get(kind="split")
    assert (entry.day, entry.symbol) == (days[8], "A")
    assert entry.quantity > 0


def test_a_share_that_is_locked_is_ordered_and_left():
    # On the sixth session A is locked up when it is to be bought, on the eighth B is locked down when it is to go.
    up, down = walk(100, 1, 1, 1, 1, 1, 1, 1, 1), walk(50, 1, 1, 1, 1, 1, 1, 1, 1)
    up[5] = one_price(round((up[4].close or 0) * 1.05, 2))
    down[7] = one_price(round((down[6].close or 0) * 0.95, 2))
    days = trading_market({"A": up, "B": down, "C": walk(30, 1, 1, 1, 1, 1, 1, 1, 1)})
    rotate(days, ("A B C", "A C B", "A C B", "A C B"))
    content = both(terms(days))
    assert [trade["symbol"] for trade in content["trades"] if trade["session"] == f"{days[5]}"] == ["B"]
    left = Order.objects.exclude(status="filled").order_by("pk")
    assert [(order.symbol, order.side, order.session, order.status) for order in left] == [
        ("A", "buy", days[5], "cancelled"),
        ("B", "sell", days[7], "cancelled"),
    ]
    assert {(trade["symbol"], trade["session"]) for trade in content["trades"] if trade["side"] == "sell"} == {
        ("B", f"{days[8]}")
    }


def test_shares_without_a_bar_and_shares_that_are_gone():
    gap, gone = list[Day | None](walk(100, 1, 1, 1, 1, 1, 1, 1, 1)), list[Day | None](walk(60, 1, 1, 1, 1, 1, 1, 1, 1))
    gap[5] = None
    gone[6:] = [None] * 6
    days = trading_market({"A": gap, "B": gone, "C": walk(30, 1, 1, 1, 1, 1, 1, 1, 1)})
    rotate(days, ("A B C", "A C B", "A C B", "A C B"))
    content = both(terms(days))
    assert {holding["symbol"] for holding in content["holdings"]} == {"A", "B", "C"}
    assert content["trades"][0]["symbol"] == "B"


@pytest.mark.long
def test_nothing_is_known_before_its_day():
    """What is cut off after a day changes nothing up to it."""
    days = trading_market(ROTATING)
    rotate(days)
    whole = paper_replay(terms(days), lambda done, total: None)
    cut = Parameters("model", days[4], days[8], Decimal(100_000), holdings=2, keep=2, every=2)
    part = paper_replay(cut, lambda done, total: None)
    assert part["equity"] == whole["equity"][:5]
    assert part["trades"] == [trade for trade in whole["trades"] if trade["session"] <= f"{days[8]}"]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"charges": False, "fractional": True}, "An order has whole shares"),
        ({"charges": False, "limits": Limits(orders_a_day=1)}, "limits count its charges"),
        ({"capital": Decimal(90)}, "capital 90 buys no share of anything on the lists"),
    ],
    ids=["parts", "limits", "capital"],
)
def test_what_cannot_be_played_is_a_sentence(changed: dict[str, Any], sentence: str):
    days = trading_market(ROTATING)
    with pytest.raises(BacktestError, match=sentence):
        paper_replay(terms(days, **changed), lambda done, total: None)
