"""Who has a sender and when; the process that watches over all of them, and the command."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta

import psutil
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from brokers.protocol import Refused
from brokers.registry import Drill, Fault
from portfolio.models import Difference, LedgerEntry
from portfolio.orders import book
from portfolio.orders.desk import refusals_of
from portfolio.orders.events import Event, Kind
from portfolio.sending import service
from portfolio.sending.lock import AccountLock
from portfolio.sending.service import Reconciliations, accounts_with_work, serve
from tests.accounts import live_account, may_trade_live, paper_account
from tests.brokers.simulated import at
from tests.orders import AT, a_market, a_wish, deposit
from tests.portfolio.sending.desks import Desk, kinds

NIGHT = at("23:00")


@pytest.fixture
def desk(db):
    return Desk()


def test_an_account_without_orders_has_no_sender(desk):
    assert accounts_with_work(at("10:00")) == []
    order = desk.queue()
    assert accounts_with_work(NIGHT) == [desk.account]
    book.record(order, [Event(Kind.REJECT, "reject", "", desk.clock(), reason="No.")])
    # At rest: in the hours of its session it is still compared with the broker, and not after.
    assert accounts_with_work(at("16:10")) == [desk.account]
    assert accounts_with_work(NIGHT) == []


def test_accounts_of_replays_are_served_by_nobody(desk):
    desk.queue()
    type(desk.account).objects.filter(pk=desk.account.pk).update(is_replay=True, owner=None)
    assert accounts_with_work(at("10:00")) == []


def test_reconciled_at_the_start_each_minute_of_the_session_and_after_it():
    due, times = Reconciliations(), []
    moment = at("08:50")
    while moment < at("23:00"):
        if due.is_due(moment):
            due.note(moment)
            times.append(moment)
        moment += timedelta(seconds=20)
    expected = [at("09:00") + timedelta(minutes=minute) for minute in range(426)]
    assert times == [at("08:50"), *expected, at("16:10")]


@pytest.mark.long
def test_a_sender_ends_when_there_is_nothing_to_do(desk, monkeypatch):
    desk.behaviour = replace(desk.behaviour, tariff="zerodha")
    desk.queue(price="100")
    monkeypatch.setattr(service, "venue_of", lambda *_: desk.venue())
    monkeypatch.setattr(service, "Sender", lambda _, venue, clock: desk.sender(venue))
    waits = []

    def wait(seconds):
        waits.append(seconds)
        desk.clock.now += timedelta(minutes=10)
        return len(waits) > 100

    serve(desk.account, desk.clock, wait)
    assert desk.clock() == at("16:15")
    assert LedgerEntry.objects.get(kind="fill").amount == -1000
    assert not Difference.objects.filter(closed_at=None).exists()


def test_queued_orders_wait_for_a_log_in(desk, monkeypatch):
    lost, waiting = desk.queue(), desk.queue()
    with desk.venue() as venue:
        book.record(lost, [Event(Kind.SEND, "send", "", desk.clock()), Event(Kind.NO_ANSWER, "none", "", desk.clock())])
        venue.client.drill(Drill("find_by_tag", Fault.NOT_AUTHENTICATED))
        desk.turn(venue)
    waiting.refresh_from_db()
    assert (waiting.status, kinds(waiting)) == ("queued", ["create", "queue"])


def test_what_waits_in_a_live_account_that_may_not_trade_is_refused_and_its_broker_is_not_opened(desk, settings):
    """A permission that its owner gives hours later is not for what was ordered before."""
    may_trade_live(settings)
    desk.account = live_account(desk.account.owner)
    order = desk.queue()
    assert accounts_with_work(desk.clock()) == [desk.account]
    with pytest.raises(Refused, match="Live trading is off"):
        serve(desk.account, desk.clock, lambda _: False)
    order.refresh_from_db()
    assert order.status == "refused"
    assert "live trading is off for orders by hand" in " ".join(each.sentence for each in refusals_of(order))


@pytest.mark.parametrize("name", ["nobody's", "99999", "1" * 40])
def test_an_account_that_is_none_is_refused(desk, name):
    with pytest.raises(CommandError, match="names 0 accounts"):
        call_command("order_sender", f"--account={name}")


def test_a_second_sender_says_so_and_ends(desk):
    with AccountLock(desk.account.pk), pytest.raises(CommandError, match="Another sender is at work"):
        call_command("order_sender", f"--account={desk.account.pk}", "--once")


@pytest.mark.crash
@pytest.mark.django_db(transaction=True)
def test_the_watching_process_starts_senders_again_and_stops_within_seconds(tmp_path, django_user_model):
    """An order of unknown fate keeps its account's sender at work; it is killed, and another one takes its place."""
    account = paper_account(django_user_model.objects.create_user("asha"))
    deposit(account)
    a_market()
    order, _ = book.order_for(account, a_wish(), AT)
    book.record(order, [Event(Kind.SEND, "send", "", AT), Event(Kind.NO_ANSWER, "none", "", AT)])
    url = os.environ["DATABASE_URL"].replace("/trading_system?", f"/{connection.settings_dict['NAME']}?")
    environment = os.environ | {"DATABASE_URL": url, "VAR_DIR": str(tmp_path)}
    watching = subprocess.Popen([sys.executable, "manage.py", "order_sender"], env=environment)
    try:
        first = _sender_of(account.pk)
        os.kill(first, signal.SIGKILL)
        second = _sender_of(account.pk, other_than=first)
        started = time.monotonic()
        watching.terminate()
        assert watching.wait(30) == 0
        assert time.monotonic() - started < 15
        assert not _is_held(account.pk)
        assert second != first
    finally:
        watching.kill()
        watching.wait()


def _sender_of(account: int, other_than: int = 0) -> int:
    """The process id of the account's sender, once there is one."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for process in psutil.process_iter(["cmdline"]):
            is_sender = f"--account={account}" in (process.info["cmdline"] or ()) and process.pid != other_than
            if is_sender and _is_held(account):
                return process.pid
        time.sleep(0.3)
    raise AssertionError("no sender was started")


def _is_held(account: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s", [account])
        return bool(cursor.fetchone()[0])
