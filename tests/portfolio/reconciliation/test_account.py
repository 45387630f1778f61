"""A whole reconciliation: what is recorded, which rows stand, and that a second one changes nothing."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.charges import Side
from brokers.models import ImportedNote
from brokers.protocol import Holding, NotAuthenticated, OrderState, OrderType, Position, Unavailable
from market_data.models import CorporateAction
from portfolio.accounts.charges import post_charges
from portfolio.models import Difference, LedgerEntry, Order, OrderAlarm, Trade, TradingAccount, User
from portfolio.orders import book
from portfolio.orders.events import Event, Kind
from portfolio.orders.evidence import Draft
from portfolio.reconciliation.blocks import blocked_shares, blocks_of
from portfolio.reconciliation.closing import Correction, close_difference
from portfolio.reconciliation.comparison import WAITS_FOR_ORDER
from portfolio.reconciliation.difference_rows import AGREES
from tests.accounts import DAY, IST, paper_account
from tests.portfolio.reconciliation.sides import order_there, trade_there
from tests.portfolio.reconciliation.written_venue import WrittenVenue, reconciled

pytestmark = pytest.mark.django_db
AT = datetime(2026, 2, 2, 10, 30, tzinfo=IST)
MINUTE, DAY_AFTER = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def account(db) -> TradingAccount:
    return paper_account(User.objects.create_user("asha"))


def an_order(account, quantity: int = 10, number: str = "B1", purpose: str = "plan") -> Order:
    """One that the broker took in."""
    draft = Draft("1", DAY, "AAA", Side.BUY, quantity, OrderType.LIMIT, Decimal(100))
    order, _ = book.order_for(account, book.Wish(draft, purpose), AT - MINUTE)
    events = [Event(Kind.QUEUE, "queue", "", AT - MINUTE), Event(Kind.SEND, "send", "", AT - MINUTE)]
    return book.record(order, [*events, Event(Kind.ANSWER, f"answer:{number}", "", AT, broker_order_id=number)])


def rows(account) -> set[tuple[Any, ...]]:
    """Every row, without its number."""
    names = ("kind", "subject", "since", "closed_at", "closed_by", "reason", "action")
    return set(Difference.objects.filter(account=account).values_list(*names))


def open_kinds(account) -> dict[str, str]:
    return dict(Difference.objects.filter(account=account, closed_at=None).values_list("subject", "kind"))


def venue(order: Order | None = None, **changes: Any) -> WrittenVenue:
    book = [order_there("1", tag=order.tag)] if order else []
    return WrittenVenue(**({"book": book} | changes))


SIX_HELD: dict[str, Any] = {"net": [Position("AAA", "NSE", "cnc", 6, Decimal(100))]}


def test_a_fill_that_is_missing_here_is_recorded_once(account):
    order = an_order(account)
    broker = venue(order, fills=[trade_there("T1")], **SIX_HELD)
    broker.book = [replace(broker.book[0], filled_quantity=6)]
    first = reconciled(account, broker, AT)
    assert {row.kind for row in first} == {"fill_missing_here", "state_behind"}
    assert all(row.closed_by == "system" and row.reason == "Recorded from the broker." for row in first)
    order.refresh_from_db()
    assert (order.status, order.filled_quantity, order.alarms) == ("partly_filled", 6, [])
    assert LedgerEntry.objects.get().quantity == 6
    before = rows(account)
    assert reconciled(account, broker, AT + MINUTE) == []
    assert rows(account) == before
    assert (Trade.objects.count(), LedgerEntry.objects.count()) == (1, 1)


def test_an_order_of_nobody_is_counted_and_never_touched(account):
    broker = venue(
        book=[order_there("9", OrderState.FILLED, 6, quantity=6, tag=None)], fills=[trade_there("T1", "9")], **SIX_HELD
    )
    assert {row.kind for row in reconciled(account, broker, AT)} == {"foreign_order", "foreign_fill"}
    order = Order.objects.get()
    assert (order.is_external, order.tag, order.status, order.filled_quantity) == (True, None, "filled", 6)
    assert (order.alarms, blocks_of(account)) == ([], [])
    assert LedgerEntry.objects.get().quantity == 6
    reconciled(account, broker, AT + MINUTE)
    before = rows(account)
    reconciled(account, broker, AT + 2 * MINUTE)
    assert (rows(account), Order.objects.count()) == (before, 1)
    later = venue(held=[Holding("INE1", "AAA", "NSE", 6, 0, 6, Decimal(100))])  # another day: another book
    assert [row for row in reconciled(account, later, AT + DAY_AFTER) if row.closed_at is None] == []
    assert set(Difference.objects.values_list("closed_by", flat=True)) == {"system"}
    assert Order.objects.count() == 1


def test_a_foreign_order_that_is_changed_at_the_broker_follows(account):
    row = order_there("9", tag=None)
    reconciled(account, venue(book=[row]), AT)
    reconciled(account, venue(book=[replace(row, quantity=4)]), AT + MINUTE)
    reconciled(account, venue(book=[replace(row, quantity=4, status=OrderState.CANCELLED)]), AT + 2 * MINUTE)
    order = Order.objects.get()
    assert (order.quantity, order.status) == (4, "cancelled")


def test_a_trade_whose_order_is_not_in_the_book_waits_for_it(account):
    broker = venue(fills=[trade_there("T1", "9")])
    [row] = reconciled(account, broker, AT)
    assert (row.kind, row.action) == ("foreign_fill", WAITS_FOR_ORDER)
    assert not Trade.objects.exists()
    broker.book = [order_there("9", filled=6, tag=None)]
    reconciled(account, replace(broker, **SIX_HELD), AT + MINUTE)
    assert Trade.objects.get().quantity == 6
    [row] = Difference.objects.filter(kind="foreign_fill")
    assert (row.since, row.closed_at, row.action == WAITS_FOR_ORDER) == (AT, None, False)


def test_a_trade_of_an_unknown_order_counts_once_its_tag_is_there(account):
    order, _ = book.order_for(
        account, book.Wish(Draft("1", DAY, "AAA", Side.BUY, 10, OrderType.LIMIT, Decimal(100)), "plan"), AT
    )
    book.record(order, [Event(Kind.SEND, "send", "", AT), Event(Kind.NO_ANSWER, "no_answer", "", AT)])
    broker = venue(fills=[trade_there("T1")])
    reconciled(account, broker, AT)
    order.refresh_from_db()
    assert (order.status, Trade.objects.count()) == ("unknown", 0)
    broker = replace(broker, book=[order_there("1", filled=6, tag=order.tag)], **SIX_HELD)
    reconciled(account, broker, AT + MINUTE)
    order.refresh_from_db()
    assert (order.status, order.broker_order_id, order.filled_quantity) == ("partly_filled", "B1", 6)
    assert open_kinds(account) == {}


def test_a_book_cut_in_half_only_blocks_its_share_until_it_is_whole(account):
    order, other = an_order(account), an_order(account, number="B2", purpose="by hand")
    whole = venue(book=[order_there("1", tag=order.tag), order_there("2", tag=other.tag)])
    reconciled(account, whole, AT)
    events = book.events_of_order(other)
    half = venue(order)
    [row] = reconciled(account, half, AT + MINUTE)
    assert (row.kind, row.subject, row.since) == ("order_missing_there", f"order {other.pk}", AT + MINUTE)
    assert (blocked_shares(account), blocks_of(account)) == ({"AAA"}, [])
    other.refresh_from_db()
    assert (other.status, book.events_of_order(other)) == ("open", events)
    [row] = reconciled(account, half, AT + 2 * MINUTE)
    assert row.since == AT + MINUTE
    assert [row.closed_at for row in reconciled(account, whole, AT + 3 * MINUTE)] == []
    row = Difference.objects.get()
    assert (row.closed_by, row.closed_at, blocked_shares(account)) == ("system", AT + 3 * MINUTE, set())


def test_a_fill_after_a_cancel_is_a_fact_with_an_alarm(account):
    order = an_order(account)
    broker = venue(book=[order_there("1", OrderState.CANCELLED, tag=order.tag)])
    reconciled(account, broker, AT)
    late = trade_there("T1", at=AT + MINUTE)
    reconciled(account, replace(broker, fills=[late], **SIX_HELD), AT + 2 * MINUTE)
    order.refresh_from_db()
    assert (order.status, order.filled_quantity, order.alarms) == ("cancelled", 6, ["late_fill"])
    assert OrderAlarm.objects.count() == 1
    assert len(blocks_of(account, DAY)) == 1


def test_fewer_shares_than_we_hold_block_the_next_day_and_infer_nothing(account):
    LedgerEntry.objects.create(account=account, day=DAY, kind="opening", symbol="AAA", quantity=10, reference="o")
    broker = venue(held=[Holding("INE1", "AAA", "NSE", 7, 0, 7, Decimal(100))])
    [row] = reconciled(account, broker, AT)
    assert (row.kind, row.ours, row.theirs) == (
        *("quantity_differs", {"symbol": "AAA", "quantity": 10}),
        {"symbol": "AAA", "quantity": 7},
    )
    assert (blocks_of(account, DAY), len(blocks_of(account, DAY + DAY_AFTER))) == ([], 1)
    assert not Trade.objects.exists()
    assert LedgerEntry.objects.count() == 1


def test_what_heals_on_its_day_is_closed_and_what_has_blocked_waits_for_a_person(account):
    LedgerEntry.objects.create(account=account, day=DAY, kind="opening", symbol="AAA", quantity=10, reference="o")
    fewer = venue(held=[Holding("INE1", "AAA", "NSE", 7, 0, 7, Decimal(100))])
    same = venue(held=[Holding("INE1", "AAA", "NSE", 10, 0, 7, Decimal(100))])
    reconciled(account, fewer, AT)
    reconciled(account, same, AT + MINUTE)
    row = Difference.objects.get()
    assert (row.closed_by, row.closed_at) == ("system", AT + MINUTE)
    reconciled(account, fewer, AT + 2 * MINUTE)
    reconciled(account, same, AT + DAY_AFTER)
    [row] = Difference.objects.filter(closed_at=None)
    assert (row.since, row.action) == (AT + 2 * MINUTE, AGREES)
    reconciled(account, fewer, AT + DAY_AFTER + MINUTE)
    row.refresh_from_db()
    assert (row.since, row.action == AGREES) == (AT + 2 * MINUTE, False)


def test_a_fill_that_the_broker_does_not_have_stays_a_difference_on_later_days(account):
    order = an_order(account)
    at = AT - MINUTE
    fill = Event(Kind.FILL, "fill", "", at, trade_id="T1", quantity=6, price=Decimal(100), broker_at=at)
    book.record(order, [fill])
    kinds = {"NSE:2026-02-02:T1": "fill_unknown_there", "AAA": "quantity_differs"}
    reconciled(account, venue(order), AT)
    assert open_kinds(account) == kinds
    assert Trade.objects.count() == 1
    reconciled(account, WrittenVenue(), AT + DAY_AFTER)
    assert open_kinds(account) == kinds | {f"order {order.pk}": "order_missing_there"}


def test_an_order_that_is_open_at_16_10_is_asked_for_again_and_never_expired(account):
    order = an_order(account)
    evening = AT.replace(hour=16, minute=10)
    expired = order_there("1", OrderState.EXPIRED, tag=order.tag)
    reconciled(account, WrittenVenue(hidden=[expired]), evening - MINUTE)
    order.refresh_from_db()
    assert (order.status, open_kinds(account)) == ("open", {f"order {order.pk}": "order_missing_there"})
    reconciled(account, venue(order), evening)  # the broker says that it is open
    order.refresh_from_db()
    assert order.status == "open"
    reconciled(account, WrittenVenue(hidden=[expired]), evening + MINUTE)
    order.refresh_from_db()
    assert (order.status, open_kinds(account)) == ("expired", {})


@pytest.mark.parametrize("error", [NotAuthenticated("Log in again."), Unavailable("Zerodha is not there.")])
def test_a_broker_that_does_not_answer_is_never_without_differences(account, error):
    order = an_order(account)
    reconciled(account, venue(), AT)
    assert open_kinds(account) == {f"order {order.pk}": "order_missing_there"}
    silent = venue(fills=[trade_there("T1")], silent={"orders": error})
    with pytest.raises(type(error), match=str(error)):
        reconciled(account, silent, AT + MINUTE)
    assert open_kinds(account) == {f"order {order.pk}": "order_missing_there"}
    assert not Trade.objects.exists()


def test_what_was_answered_before_the_silence_is_recorded(account):
    order = an_order(account)
    broker = venue(order, fills=[trade_there("T1")], silent={"holdings": Unavailable("Nothing came.")})
    with pytest.raises(Unavailable):
        reconciled(account, broker, AT)
    assert Trade.objects.get().order_id == order.pk
    assert open_kinds(account) == {}


def test_a_trade_id_that_comes_again_on_another_day_is_another_fill(account):
    order = an_order(account)
    reconciled(account, venue(order, fills=[trade_there("T1")], **SIX_HELD), AT)
    again = replace(trade_there("T1", quantity=4), traded_at=AT + DAY_AFTER)
    reconciled(account, venue(order, fills=[again]), AT + DAY_AFTER)
    order.refresh_from_db()
    assert (Trade.objects.count(), order.filled_quantity, order.status) == (2, 10, "filled")


def test_cash_of_the_venue_is_after_the_days_charges(account):
    LedgerEntry.objects.create(account=account, day=DAY, kind="deposit", amount=Decimal(1000), reference="d")
    order = an_order(account)
    # 6 AAA for ₹600 at Zerodha: STT ₹1, exchange 0.02, IPFT and SEBI 0.00, stamp duty 0.09, GST 0.00
    filled = venue(order, fills=[trade_there("T1")], cash=Decimal("398.89"), **SIX_HELD)
    reconciled(account, filled, AT)
    assert open_kinds(account) == {}
    at_its_last_session = replace(filled, net=(), held=[Holding("INE1", "AAA", "NSE", 0, 6, 0, Decimal(100))])
    reconciled(account, at_its_last_session, AT + DAY_AFTER)
    assert "cash_differs" not in open_kinds(account).values()
    post_charges(account, DAY)
    reconciled(account, filled, AT + MINUTE)
    assert "cash_differs" not in open_kinds(account).values()  # posted or not, they count once
    reconciled(account, replace(filled, cash=Decimal("397.88")), AT + MINUTE)
    [row] = Difference.objects.filter(kind="cash_differs")
    assert (row.ours, row.theirs) == ({"amount": "398.8900"}, {"amount": "397.88"})


def test_cash_of_a_vendor_is_that_of_the_days_start(account):
    configuration = account.owner.broker_configurations.create(broker="zerodha")
    facts = {"kind": "live", "broker": "zerodha", "charges_of": "zerodha", "configuration": configuration}
    live = TradingAccount.objects.create(owner=account.owner, name="Live", **facts)
    for kind, day, amount in (
        ("deposit", DAY, 1000),
        ("dividend", DAY + DAY_AFTER, 7),
        ("deposit", DAY + DAY_AFTER, 50),
    ):
        LedgerEntry.objects.create(account=live, day=day, kind=kind, amount=amount, reference=f"{kind} {day}")
    order = an_order(live)
    bought = venue(order, fills=[trade_there("T1")], cash=Decimal(1000), **SIX_HELD)
    reconciled(live, bought, AT)
    assert open_kinds(live) == {}
    # 1000 - 600 and ₹1.11 of charges; ₹50 paid in today, today's dividend comes with the night
    post_charges(live, DAY)
    held = [Holding("INE1", "AAA", "NSE", 0, 6, 0, Decimal(100))]
    reconciled(live, venue(held=held, cash=Decimal("448.89")), AT + DAY_AFTER)
    assert Difference.objects.filter(account=live, kind="cash_differs").count() == 0


def test_a_note_whose_lines_differ_from_the_fills_blocks_until_it_is_closed(account):
    configuration = account.owner.broker_configurations.create(broker="zerodha")
    facts = {"kind": "live", "broker": "zerodha", "charges_of": "zerodha", "configuration": configuration}
    live = TradingAccount.objects.create(owner=account.owner, name="Live", **facts)
    order = an_order(live)
    bought = venue(order, fills=[trade_there("T1")], cash=Decimal(0), **SIX_HELD)
    fill = {"order": "1", "symbol": "AAA", "kind": "share", "product": "cnc", "side": "buy", "quantity": 6}
    stated = {"brokerage": "0.00", "stt": "1.00", "stamp_duty": "0.10", "gst": "0.02"}
    note = {"session": DAY, "number": "N1", "fills": [fill | {"price": "100"}], "stated": stated, "computed": stated}
    ImportedNote.objects.create(user=account.owner, broker="zerodha", differing=0, imported_at=AT, **note)
    reconciled(live, bought, AT)
    [row] = Difference.objects.filter(kind="charges_differ")
    assert (row.subject, row.ours, row.theirs) == ("note N1: gst", {"amount": "0.00"}, {"amount": "0.02"})
    assert live.owner
    close_difference(row, live.owner, "The note rounds it.", AT, Correction(amount=Decimal("-0.02")))
    reconciled(live, bought, AT + MINUTE)
    assert "charges_differ" not in open_kinds(live).values()


@pytest.mark.parametrize(("theirs", "kind"), [(10, "event_due"), (11, "quantity_differs"), (20, None)])
def test_a_bonus_of_late_explains_its_shares_alone(account, theirs, kind):
    # Ten held before the ex-date, a bonus of one for one: the ledger has it, the broker credits it later.
    before = DAY - timedelta(days=7)
    for entry in (("opening", before, 10, "o"), ("bonus", DAY, 10, "b")):
        LedgerEntry.objects.create(
            account=account, symbol="AAA", **dict(zip(("kind", "day", "quantity", "reference"), entry, strict=True))
        )
    CorporateAction.objects.create(
        symbol="AAA", ex_date=DAY, kind="bonus", factor=0.5, known_on=before, status="official", source="t"
    )
    reconciled(account, venue(held=[Holding("INE1", "AAA", "NSE", theirs, 0, 0, Decimal(100))]), AT)
    assert open_kinds(account) == ({"AAA": kind} if kind else {})


def test_beyond_the_calendar_an_account_is_compared_all_the_same(account):
    """The calendar ends on 2026-12-31: who sends and looks orders up must not end with it."""
    later = reconciled(account, venue(**SIX_HELD), datetime(2031, 2, 3, 10, tzinfo=IST))
    assert "quantity_differs" in {row.kind for row in later}
