"""Each class of difference by hand, and that random losses of rows on either side give one class each."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.protocol import OrderState
from portfolio.models import Difference
from portfolio.orders.projection import State
from portfolio.reconciliation.comparison import (
    NO_QUANTITY,
    SAME_TAG,
    WAITS_FOR_ORDER,
    BrokersSide,
    DifferenceKind,
    NoteLine,
    OurSide,
    differences,
)
from portfolio.sending.facts import events_of_trade_row
from tests.accounts import DAY
from tests.portfolio.reconciliation.sides import (
    AT,
    classes,
    fill_here,
    order_here,
    order_there,
    trade_there,
)

FILL = "NSE:2026-02-02:T1"
YESTERDAY = DAY - timedelta(days=3)


def here(*orders, fills=(), **rest):
    return OurSide(DAY, orders, fills, **rest)


def there(*orders, trades=(), **rest):
    return BrokersSide(orders, trades, **rest)


def test_the_classes_are_those_of_the_table():
    assert [kind.value for kind in DifferenceKind] == Difference.DifferenceKind.values


def test_a_second_order_of_one_tag_is_shown_and_the_first_is_not():
    """A broker takes a tag twice; only one of the two can be the order that was sent."""
    rows = order_there("1"), replace(order_there("1"), order_id="B9")
    assert classes(here(order_here("1")), there(*rows)) == {"broker's order B9": "foreign_order"}
    [row] = differences(here(order_here("1")), there(*rows))
    assert row.action == SAME_TAG
    # Alone it is the order, under another number.
    assert classes(here(order_here("1")), there(rows[1])) == {}


def test_a_trade_of_one_number_at_another_exchange_is_another_trade():
    ours = here(order_here("1", State.PARTLY_FILLED, 6), fills=[fill_here("T1")])
    at_bse = replace(trade_there("T1"), exchange="BSE")
    both = there(order_there("1", filled=6), trades=[trade_there("T1"), replace(at_bse, order_id="B7")])
    assert classes(ours, both) == {"BSE:2026-02-02:T1": "foreign_fill"}
    [event] = events_of_trade_row(at_bse, AT)
    assert event.fill_id == ("BSE", DAY, "T1")


def test_sides_that_agree_have_no_difference():
    ours = here(
        order_here("1", State.PARTLY_FILLED, 6),
        order_here("2", State.CANCELLED),
        fills=[fill_here("T1")],
        holdings={"AAA": 6},
        cash=Decimal("99.99"),
        note_lines=[NoteLine("N1", "gst", Decimal("1.23"), Decimal("1.24"))],
    )
    theirs = there(
        order_there("1", filled=6),
        order_there("2", OrderState.CANCELLED),
        trades=[trade_there("T1")],
        holdings={"AAA": 6, "BBB": 0},
        cash=Decimal("100.99"),
    )
    assert classes(ours, theirs) == {}


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        (here(order_here()), there(order_there(), trades=[trade_there("T1")]), {FILL: "fill_missing_here"}),
        (here(order_here()), there(order_there(status=OrderState.CANCELLED)), {"order 1": "state_behind"}),
        (here(order_here(status=State.UNKNOWN, broker_order_id="")), there(order_there()), {"order 1": "state_behind"}),
        (here(order_here(status=State.ABANDONED)), there(order_there()), {"order 1": "state_behind"}),
        (here(order_here()), there(order_there(filled=6)), {"order 1": "state_behind"}),
        (here(order_here(status=State.FILLED, filled=10)), there(order_there(filled=4)), {}),  # the book lags
        (here(order_here()), there(order_there(status=OrderState.UNKNOWN)), {}),
        (here(), there(order_there("9", tag=None)), {"broker's order B9": "foreign_order"}),
        (
            here(),
            there(order_there("9", tag=None), trades=[trade_there("T1", "9")]),
            {"broker's order B9": "foreign_order", FILL: "foreign_fill"},
        ),
        (
            here(order_here("9", State.PARTLY_FILLED, 6, is_external=True), fills=[fill_here("T1", "9")]),
            there(order_there("9", filled=6, tag=None), trades=[trade_there("T1", "9")]),
            {"broker's order B9": "foreign_order", FILL: "foreign_fill"},  # shown as long as the book has it
        ),
        (here(order_here()), there(), {"order 1": "order_missing_there"}),
        (here(order_here(session=YESTERDAY)), there(), {"order 1": "order_missing_there"}),
        (here(order_here(status=State.FILLED, filled=10)), there(), {"order 1": "order_missing_there"}),
        (here(order_here(status=State.CANCELLED, session=YESTERDAY)), there(), {}),
        (here(order_here(status=State.UNKNOWN, broker_order_id="")), there(), {}),
        (here(order_here(status=State.QUEUED, broker_order_id="")), there(), {}),
        (
            here(order_here(status=State.PARTLY_FILLED, filled=6), fills=[fill_here("T1")]),
            there(order_there(filled=0)),
            {FILL: "fill_unknown_there"},
        ),
        (
            here(order_here(status=State.PARTLY_FILLED, filled=6), fills=[fill_here("T1")]),
            there(order_there(filled=6), trades=[trade_there("T1", price="100.05")]),
            {FILL: "fill_unknown_there"},
        ),
        (here(holdings={"AAA": 10}), there(holdings={"AAA": 7}), {"AAA": "quantity_differs"}),
        (here(holdings={}), there(holdings={"AAA": 7}), {"AAA": "quantity_differs"}),
        (here(cash=Decimal(100)), there(cash=Decimal("101.01")), {"cash": "cash_differs"}),
        (here(cash=Decimal(100)), there(cash=Decimal("98.99")), {"cash": "cash_differs"}),
        (
            here(note_lines=[NoteLine("N1", "stt", Decimal("1.23"), Decimal("1.25"))]),
            there(),
            {"note N1: stt": "charges_differ"},
        ),
    ],
)
def test_each_class(ours, theirs, expected):
    assert classes(ours, theirs) == expected


@pytest.mark.parametrize(
    ("mine", "theirs", "due", "kind"),
    [
        (200, 100, (100,), "event_due"),  # a bonus 1:1 that they have not credited
        (210, 110, (100,), "event_due"),  # and ten bought since
        (100, 500, (400,), "event_due"),  # a split that they booked first
        (100, 20, (-80,), "event_due"),  # a consolidation
        (100, 1100, (100, 900), "event_due"),  # both
        (200, 101, (100,), "quantity_differs"),
        (200, 100, (), "quantity_differs"),
        (200, 100, (50,), "quantity_differs"),
    ],
)
def test_a_split_or_bonus_explains_exactly_its_own_shares(mine, theirs, due, kind):
    [row] = differences(here(holdings={"AAA": mine}, due={"AAA": due}), there(holdings={"AAA": theirs}))
    assert (row.kind.value, row.ours["quantity"], row.theirs["quantity"]) == (kind, mine, theirs)


def test_a_side_that_is_silent_is_not_compared():
    ours = here(order_here(), fills=[fill_here("T1")], holdings={"AAA": 6}, cash=Decimal(5))
    assert classes(ours, BrokersSide()) == {}


def test_a_trade_without_its_orders_row_waits():
    [row] = differences(here(order_here()), there(order_there(), trades=[trade_there("T1", "9")]))
    assert (row.kind, row.action) == (DifferenceKind.FOREIGN_FILL, WAITS_FOR_ORDER)


def test_a_foreign_order_without_a_quantity_is_shown_alone():
    [row] = differences(here(), there(order_there("9", tag=None, quantity=0)))
    assert (row.kind, row.action) == (DifferenceKind.FOREIGN_ORDER, NO_QUANTITY)


def test_a_trade_id_that_comes_again_on_another_day_is_another_fill():
    filled = order_here(status=State.PARTLY_FILLED, filled=6, session=YESTERDAY)
    ours = here(filled, fills=[fill_here("T1", day=YESTERDAY)])
    assert classes(ours, there(order_there(filled=6), trades=[trade_there("T1")])) == {FILL: "fill_missing_here"}


def test_a_number_that_another_day_had_too_is_not_taken_for_the_same_order():
    old = order_here("1", State.FILLED, 10, session=YESTERDAY, broker_order_id="B7")
    assert classes(here(old), there(order_there("7", tag=None))) == {"broker's order B7": "foreign_order"}


@given(st.data())
def test_losses_on_either_side_give_one_class_each(data):
    """Whatever rows are lost: a row on both sides gives no difference, a lost one has one class, and it is its own."""
    lost_here = data.draw(st.sets(st.sampled_from(["o1", "o2", "o3", "t1", "t2", "t3"])))
    lost_there = data.draw(st.sets(st.sampled_from(["o1", "o2", "o3", "t1", "t2", "t3"])))
    numbers = "123"
    ours = here(
        *(order_here(n, State.PARTLY_FILLED, 6) for n in numbers if f"o{n}" not in lost_here),
        fills=[fill_here(f"T{n}", n) for n in numbers if f"t{n}" not in lost_here],
    )
    theirs = there(
        *(order_there(n, filled=6) for n in numbers if f"o{n}" not in lost_there),
        trades=[trade_there(f"T{n}", n) for n in numbers if f"t{n}" not in lost_there],
    )
    rows = classes(ours, theirs)
    for n in numbers:
        order = {
            (False, True): {f"order {n}": "order_missing_there"},
            (True, False): {f"broker's order B{n}": "foreign_order"},
        }.get((f"o{n}" in lost_here, f"o{n}" in lost_there), {})
        fill = {
            (False, True): "fill_unknown_there",
            (True, False): "foreign_fill" if f"o{n}" in lost_here else "fill_missing_here",
            (False, False): "foreign_fill" if f"o{n}" in lost_here else None,
        }.get((f"t{n}" in lost_here, f"t{n}" in lost_there))
        expected = order | ({f"NSE:2026-02-02:T{n}": fill} if fill else {})
        assert {subject: kind for subject, kind in rows.items() if subject.endswith(n)} == expected


def test_times_of_trades_decide_their_day():
    late = replace(trade_there("T1"), traded_at=None)
    assert classes(here(order_here()), there(order_there(), trades=[late])) == {FILL: "fill_missing_here"}
    tomorrow = replace(late, traded_at=AT + timedelta(days=1))
    assert classes(here(order_here()), there(order_there(), trades=[tomorrow])) == {
        "NSE:2026-02-03:T1": "fill_missing_here"
    }
