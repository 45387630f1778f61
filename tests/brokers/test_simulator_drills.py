"""Each drill, on every call, gives the class that `docs/brokers.md` states."""

from typing import Any

import pytest

from brokers.protocol import CALLS as NAMES
from brokers.protocol import WRITES, BrokerError, NotAuthenticated, OutcomeUnknown, Unavailable
from brokers.simulator.faults import Drill, Fault
from tests.brokers.accounts import CALLS, REQUEST
from tests.brokers.documented import expected, table
from tests.brokers.simulated import order, sbin, simulated

ROWS = [*table("What the wire does"), *table("Simulator, by drill")]
NEVER_DONE = ("connection never made", "429", "not authenticated", "refused", "rejected")


def account(*drills: Drill, pauses: tuple[float, ...] = ()) -> Any:
    """An account with the open order that changes and cancellations are of."""
    broker = simulated(sbin(), drills=drills, pauses=pauses)
    placed = broker.client.venue.place(order(price="430.05", tag="EARLIER"))
    assert placed == "1001"
    return broker


def test_the_tables_name_every_drill():
    assert [row[0] for row in ROWS] == [fault.value for fault in Fault]
    assert set(NAMES) == set(CALLS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_drill_on_every_call(row: list[str]):
    for call in CALLS:
        if expected(row, call) == "–":
            with pytest.raises(ValueError, match=f"{call} is not"):
                Drill(call, Fault(row[0]))
            continue
        broker = account(Drill(call, Fault(row[0])))
        before = broker.state.snapshot() | {"requests": 1}
        with pytest.raises(BrokerError) as error:
            CALLS[call](broker)
        assert (call, error.value.word) == (call, expected(row, call))
        assert error.value.sent == (row[0] != "connection never made")
        assert "simulator" in str(error.value)
        assert broker.state.snapshot() == before
        CALLS[call](broker)  # the next call is well


def test_every_call_and_how_often():
    broker = account(Drill("*", Fault.RESET, times=2), Drill("funds", Fault.NOT_AUTHENTICATED), pauses=(0, 0))
    broker.client.drill(Drill("place", Fault.TOO_MANY_CALLS, retry_after_seconds=1.5))
    with pytest.raises(OutcomeUnknown):
        broker.cancel("1001")
    assert broker.profile().name == "Simulated account"  # repeated, and well the second time
    with pytest.raises(NotAuthenticated):
        broker.funds()
    with pytest.raises(Unavailable) as error:
        broker.place(REQUEST)
    assert (error.value.code, error.value.retry_after_seconds) == ("429", 1.5)
    assert broker.place(REQUEST).tag == REQUEST.tag
    assert broker.requests_made() == 6


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault not in NEVER_DONE])
def test_an_order_that_was_booked_before_its_answer_was_lost_is_there(fault: Fault):
    broker = account(*(Drill(call, fault, done=True) for call in WRITES))
    for write in (lambda: broker.place(REQUEST), lambda: broker.modify("1001", order(quantity=20, price="430.05"))):
        with pytest.raises(OutcomeUnknown):
            write()
    assert [row.quantity for row in broker.find_by_tag(REQUEST.tag).rows] == [REQUEST.quantity]
    assert [row.quantity for row in broker.find_by_tag("EARLIER").rows] == [20]
    with pytest.raises(OutcomeUnknown):
        broker.cancel("1001")
    assert [row.status for row in broker.find_by_tag("EARLIER").rows] == ["cancelled"]


def test_nobody_hears_that_a_lost_order_was_rejected():
    broker = account(Drill("place", Fault.SLOW, done=True))
    with pytest.raises(OutcomeUnknown):
        broker.place(order(price="430.03"))
    assert broker.find_by_tag("T1").rows == ()


@pytest.mark.parametrize(
    ("drill", "words"),
    [
        ({"call": "plaice", "fault": Fault.RESET}, "'plaice' is no call"),
        ({"call": "place", "fault": Fault.RESET, "times": 0}, "0 times"),
        ({"call": "place", "fault": Fault.TOO_MANY_CALLS, "done": True}, "a call is never done"),
        ({"call": "funds", "fault": Fault.NOT_ACKNOWLEDGED}, "funds is not"),
    ],
)
def test_a_drill_that_can_never_happen(drill: dict[str, Any], words: str):
    with pytest.raises(ValueError, match=words):
        Drill(**drill)
