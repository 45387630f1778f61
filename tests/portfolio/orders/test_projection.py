"""The rules R1-R6 by hand, one after the other, and what holds for every history."""

import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio.orders.projection import Alarm, Projection, State, projection
from tests.portfolio.orders.histories import Line, book, create, events, fill, line, projected, random_history, sent

LATE, MISSING, OVER, UNSENT = Alarm.LATE_FILL, Alarm.FILLS_MISSING, Alarm.OVERFILL, Alarm.FILL_BEFORE_SEND
ABANDON = {"operator": "asha", "reason": "Not in the book since yesterday."}


# --- R1: once -------------------------------------------------------------------------------------------------------
def test_a_key_counts_once():
    row = fill("T1", 4)
    assert projected(*sent(), row, row).filled_quantity == 4


def test_of_a_key_with_two_contents_the_earlier_one_counts():
    early, late = fill("T1", 4, "9:20"), fill("T2", 3, "9:21") | {"key": fill("T1", 4, "9:20")["key"]}
    assert projected(*sent(), early, late) == projected(*sent(), late, early) == projected(*sent(), early)


@pytest.mark.parametrize(
    ("second", "filled"),
    [
        (fill("T1", 4) | {"key": "postback"}, 4),
        (fill("T1", 3, "9:21"), 4),
        (fill("T2", 4), 8),
        (fill("T1", 4, "3/9:20"), 8),
        (fill("T1", 4, exchange="BSE"), 8),
        (fill("T1", 4, exchange="NSE"), 4),
        # The broker's date is that of India: 18:29 UTC is still the 2nd, 18:30 is the 3rd.
        (fill("T1", 4) | {"broker_at": "2026-02-02T18:29:59Z", "key": "z"}, 4),
        (fill("T1", 4) | {"broker_at": "2026-02-02T18:30:00Z", "key": "z"}, 8),
    ],
    ids=["brought twice", "another quantity", "another trade", "day", "exchange", "NSE", "before midnight", "midnight"],
)
def test_a_fill_counts_once_an_exchange_day_and_trade_id(second: Line, filled: int):
    assert projected(*sent(), fill("T1", 4), second).filled_quantity == filled
    assert projected(second, fill("T1", 4), *sent()).filled_quantity == filled


def test_of_two_fills_with_one_trade_id_the_earlier_by_the_brokers_clock_counts():
    early, late = fill("T1", 4, "9:20"), fill("T1", 3, "9:21") | {"at": "2026-02-02T09:21:30+05:30"}
    assert early["at"] > late["at"]
    assert projected(*sent(), late, early).filled_quantity == projected(*sent(), early, late).filled_quantity == 4


def test_a_fill_that_counts_for_another_order_of_the_account_does_not_count_here():
    history = events([*sent(), fill("T1", 4), fill("T2", 3)])
    assert projection(history, {history[4].fill_id}).filled_quantity == 3


# --- R2: the broker's clock -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("statuses", "state"),
    [
        ([book("open", "9:30"), book("cancelled", "9:31")], State.CANCELLED),
        ([book("cancelled", "9:30"), book("open", "9:31")], State.OPEN),
        ([book("cancelled", "9:30"), book("open", "9:30")], State.CANCELLED),
        ([book("expired", "9:30"), book("cancelled", "9:31")], State.CANCELLED),
        ([book("open", "9:30"), book("rejected", "9:30:00.000001")], State.REJECTED),
        # 04:01 UTC is 9:31 in India.
        ([book("cancelled", "9:30"), book("open") | {"broker_at": "2026-02-02T04:01:00+00:00"}], State.OPEN),
    ],
)
def test_the_last_status_is_the_last_by_the_brokers_clock(statuses: list[Line], state: State):
    assert projected(*sent(), *statuses).state == projected(*statuses[::-1], *sent()).state == state


@pytest.mark.parametrize("status", ["complete", "cancelled", "rejected", "expired"])
@pytest.mark.parametrize("keys", [("1", "2"), ("2", "1")])
def test_among_equals_open_comes_first_whatever_the_keys(status: str, keys: tuple[str, str]):
    opened, ended = book("open") | {"key": keys[0]}, book(status, filled_quantity=1) | {"key": keys[1]}
    assert projected(*sent(), opened, ended).alarms == projected(*sent(), ended, opened).alarms == (MISSING,)


def test_at_one_moment_and_key_the_content_decides_not_the_arrival():
    first, other = fill("T1", 4) | {"key": "1"}, fill("T2", 3) | {"key": "1"}
    assert projected(*sent(), first, other) == projected(*sent(), other, first)


def test_when_we_heard_of_a_status_says_nothing():
    late, early = book("cancelled", "9:31") | {"at": "2026-02-02T09:32:00+05:30"}, book("open", "9:30")
    assert early["at"] > late["at"]
    assert projected(*sent(), late, early).state == State.CANCELLED


def test_our_own_events_at_one_moment_are_ordered_by_key():
    request, refused = line("cancel_asked", "9:40") | {"key": "1"}, line("cancel_refused", "9:40") | {"key": "2"}
    assert projected(*sent(), refused, request).pending is None
    assert projected(*sent(), refused | {"key": "0"}, request).pending == "cancel"


# --- R3: quantity and average ---------------------------------------------------------------------------------------
def test_the_quantity_is_that_of_the_last_modification():
    first = line("modified", "9:10", quantity=6, price="99")
    last = line("modified", "9:12", quantity=4, price=None)
    assert projected(*sent()).quantity == 10
    assert projected(last, *sent(), first).quantity == 4
    assert projected(*sent(), first, last, fill("T1", 4)).state == State.FILLED
    assert projected(*sent(), line("modify_asked", "9:10", quantity=4, price="99"), fill("T1", 4)).state != State.FILLED


def test_without_a_creation_nobody_knows_the_quantity():
    order = projected(fill("T1", 4))
    assert (order.quantity, order.filled_quantity, order.state) == (None, 4, State.PARTLY_FILLED)
    assert order.alarms == (UNSENT,)


@pytest.mark.parametrize(
    ("fills", "average"),
    [
        ([], None),
        ([(3, "100"), (1, "101")], "100.2500"),
        ([(1, "100.0001"), (1, "100.0002")], "100.0002"),  # 100.00015: half up, not to even (.0002 both)
        ([(1, "100.0002"), (1, "100.0003")], "100.0003"),  # 100.00025: half up, to even would give .0002
        ([(2, "100"), (1, "100.0001")], "100.0000"),  # 100.000033…
        ([(1, 0.1), (1, 0.2)], "0.1500"),
        ([(999_999_999, "999999999999.999999"), (1, "0.000001")], "999999999000.0000"),
    ],
)
def test_the_average_has_four_decimals_half_up(fills: list[tuple[int, Any]], average: str | None):
    rows = [fill(f"T{n}", quantity, price=price) for n, (quantity, price) in enumerate(fills)]
    order = projected(*sent(999_999_999), *rows)
    assert order.average_price == (average and Decimal(average))
    assert average is None or str(order.average_price) == average


# --- R4: the state --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("lines", "state"),
    [
        ([], State.CREATED),
        ([line("refuse", checks=["band", "funds"])], State.REFUSED),
        ([line("queue")], State.QUEUED),
        ([line("queue"), line("refuse", checks=["kill_switch"])], State.REFUSED),
        ([line("queue"), line("send")], State.SENDING),
        ([line("send"), line("refuse", checks=[])], State.SENDING),
        ([line("send"), line("no_answer")], State.UNKNOWN),
        ([line("send"), line("no_answer"), line("missing")], State.UNKNOWN),
        ([line("send"), line("answer", broker_order_id="B1")], State.OPEN),
        ([line("send"), line("no_answer"), book("open")], State.OPEN),
        ([line("send"), line("no_answer"), book("open"), line("missing")], State.OPEN),
        ([line("send"), book("complete", filled_quantity=10)], State.OPEN),
        ([line("send"), line("no_answer"), fill("T1", 1)], State.PARTLY_FILLED),
        ([line("send"), line("no_answer"), line("abandon", **ABANDON)], State.ABANDONED),
        ([line("abandon", **ABANDON), book("open")], State.ABANDONED),
        ([line("abandon", **ABANDON), fill("T1", 1)], State.ABANDONED),
        ([line("send"), line("reject", reason="Insufficient funds")], State.REJECTED),
        ([line("reject", reason=""), line("abandon", **ABANDON)], State.REJECTED),
        ([line("reject", reason=""), fill("T1", 9)], State.REJECTED),
        ([line("reject", reason=""), book("open")], State.REJECTED),
        ([line("reject", reason=""), book("expired")], State.EXPIRED),
        ([book("cancelled"), line("abandon", **ABANDON)], State.CANCELLED),
        ([book("cancelled"), fill("T1", 9)], State.CANCELLED),
        ([book("cancelled"), fill("T1", 10)], State.FILLED),
        ([book("rejected"), line("reject", reason=""), fill("T1", 11)], State.FILLED),
    ],
)
def test_the_state_is_the_first_that_holds(lines: list[Line], state: State):
    assert projected(create(), *lines).state == projected(*lines[::-1], create()).state == state


# --- R5: pending ----------------------------------------------------------------------------------------------------
CANCEL, MODIFY = line("cancel_asked", "9:40"), line("modify_asked", "9:41", quantity=5, price="99")
MODIFIED = line("modified", "9:43", quantity=5, price="99")


@pytest.mark.parametrize(
    ("lines", "pending"),
    [
        ([], None),
        ([CANCEL], "cancel"),
        ([CANCEL, fill("T1", 1)], "cancel"),
        ([CANCEL, line("cancel_refused", "9:42")], None),
        ([line("cancel_refused", "9:39"), CANCEL], "cancel"),
        ([CANCEL, line("cancel_refused", "9:42"), line("cancel_asked", "9:45")], "cancel"),
        ([CANCEL, book("cancelled")], None),
        ([CANCEL, fill("T1", 10)], None),
        ([MODIFY], "modify"),
        ([MODIFY, MODIFIED], None),
        ([MODIFY, line("modify_refused", "9:42")], None),
        ([MODIFY, line("cancel_refused", "9:42")], "modify"),
        ([CANCEL, MODIFY], "modify"),
        ([MODIFY, line("cancel_asked", "9:42")], "cancel"),
        ([MODIFY, line("cancel_asked", "9:42"), MODIFIED], "cancel"),
        ([MODIFY, line("cancel_asked", "9:42"), line("cancel_refused", "9:43")], None),
    ],
)
def test_pending_is_the_last_request_until_it_is_refused_or_done(lines: list[Line], pending: str | None):
    assert projected(*sent(), *lines).pending == projected(*lines[::-1], *sent()).pending == pending


def test_nothing_is_pending_of_an_order_that_is_not_in_the_book():
    assert projected(create(), line("send"), line("no_answer"), CANCEL).pending is None


# --- R6: alarms -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("lines", "alarms"),
    [
        ([*sent(), fill("T1", 10)], ()),
        ([*sent(), fill("T1", 10), fill("T2", 1)], (OVER,)),
        ([*sent(), fill("T1", 6), line("modified", "9:43", quantity=5, price="99")], (OVER,)),
        ([create(), fill("T1", 10)], (UNSENT,)),
        ([create(), line("queue"), fill("T1", 10)], (UNSENT,)),
        ([create(), line("send"), fill("T1", 10)], ()),
        ([create(), line("queue"), line("answer", broker_order_id="B1"), book("open")], ()),
        ([*sent(), fill("T1", 4, "9:30"), book("cancelled", "9:30", 4)], ()),
        ([*sent(), fill("T1", 4, "9:30:00.000001"), book("cancelled", "9:30", 4)], (LATE,)),
        ([*sent(), book("expired", "9:30"), book("open", "9:35"), fill("T1", 4, "9:36")], (LATE,)),
        ([*sent(), book("complete", "9:30"), fill("T1", 10, "9:31")], ()),
        ([*sent(), line("reject", "9:10", reason=""), fill("T1", 4, "9:31")], ()),
        ([*sent(), line("abandon", "9:30", **ABANDON), fill("T1", 4, "9:31")], (LATE,)),
        ([*sent(), line("abandon", "9:30", **ABANDON), fill("T1", 4, "9:30")], ()),
        ([*sent(), line("abandon", "9:30", **ABANDON), fill("T1", 4, "9:31"), book("expired", "9:32")], (LATE,)),
        ([*sent(), book("expired", "9:30"), fill("T1", 4, "9:31"), book("cancelled", "9:32")], (LATE,)),
        ([*sent(), book("complete", filled_quantity=10)], (MISSING,)),
        ([*sent(), book("complete", filled_quantity=10), fill("T1", 9)], (MISSING,)),
        ([*sent(), book("complete", filled_quantity=10), fill("T1", 10)], ()),
        ([*sent(), book("cancelled", filled_quantity=3)], (MISSING,)),
        ([*sent(), book("open", filled_quantity=3)], ()),
        ([*sent(), book("complete", "9:30", 10), book("open", "9:31", 10)], ()),
        ([*sent(), book("cancelled", filled_quantity=1), fill("T1", 2)], ()),
        ([create(), book("cancelled", "9:30", 20), fill("T1", 12, "9:31")], (UNSENT, MISSING, LATE, OVER)),
    ],
)
def test_alarms(lines: list[Line], alarms: tuple[Alarm, ...]):
    assert projected(*lines).alarms == projected(*lines[::-1]).alarms == alarms


# --- every history --------------------------------------------------------------------------------------------------
histories = st.builds(lambda seed: random_history(random.Random(seed), "A"), st.integers(0, 2**32))


@given(history=histories, data=st.data())
def test_any_order_of_arrival_gives_the_same(history: list[Line], data: st.DataObject):
    assert projected(*data.draw(st.permutations(history))) == projected(*history)


@given(history=histories, data=st.data())
def test_events_that_arrive_twice_change_nothing(history: list[Line], data: st.DataObject):
    doubled = data.draw(st.lists(st.sampled_from(history)))
    assert projected(*history, *doubled) == projected(*history)


@given(history=histories, data=st.data())
def test_what_the_broker_said_brought_again_under_another_key_changes_nothing(history: list[Line], data: st.DataObject):
    """The other keys come after all others, so that they decide no tie."""
    facts = [row | {"key": f"~{n}"} for n, row in enumerate(history) if row["kind"] in ("fill", "answer", "send")]
    distinct = [row | {"key": str(n)} for n, row in enumerate(history)]
    doubled = data.draw(st.lists(st.sampled_from(facts), unique_by=lambda row: row["key"])) if facts else []
    assert projected(*doubled, *distinct) == projected(*distinct)


@given(history=histories)
def test_what_is_filled_is_never_lost_as_more_arrives(history: list[Line]):
    """With one content a key and trade: filled never falls, and `filled` is left by no event but a modification."""
    rows = list({row.get("trade_id", n): row | {"key": str(n)} for n, row in enumerate(history)}.values())
    steps = [projected(*rows[:length]) for length in range(1, len(rows) + 1)]
    for row, before, after in zip(rows[1:], steps, steps[1:], strict=False):
        assert before.filled_quantity <= after.filled_quantity
        if before.state == State.FILLED and row["kind"] not in ("create", "modified"):
            assert after.state == State.FILLED
        if LATE in before.alarms:
            assert LATE in after.alarms


@given(history=histories)
def test_absence_is_no_proof(history: list[Line]):
    def without_missing(rows: list[Line]) -> Projection:
        return projected(*(row for row in rows if row["kind"] != "missing"))

    distinct = [row | {"key": str(n)} for n, row in enumerate(history)]
    assert projected(*distinct) == without_missing(distinct)
