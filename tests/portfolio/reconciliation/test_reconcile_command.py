"""The command on paper accounts: one JSON object, and how it ends."""

import io
import json
from datetime import datetime, time
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from brokers.registry import State
from portfolio.models import LedgerEntry, Order, OrderAlarm, PaperVenue, TradingAccount, User
from tests.accounts import AN_ORDER, IST, paper_account

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(db) -> TradingAccount:
    account = paper_account(User.objects.create_user("asha"))
    today = timezone.localdate()
    LedgerEntry.objects.create(account=account, day=today, kind="deposit", amount=Decimal("1000.50"), reference="d")
    return account


def reconciled(*arguments: str) -> tuple[dict[str, Any], int]:
    out, code = io.StringIO(), 0
    try:
        call_command("reconcile", *arguments, "--json", stdout=out)
    except SystemExit as end:
        code = int(str(end.code))
    [line] = out.getvalue().splitlines()
    return json.loads(line), code


def test_a_paper_account_agrees_with_its_venue(account):
    content, code = reconciled("--account", str(account.pk))
    [row] = content["accounts"]
    assert (code, row["account"], row["differences"], row["blocks"], row["not_compared"]) == (0, account.pk, [], [], "")
    out = io.StringIO()
    call_command("reconcile", "--account", "Paper", stdout=out)
    assert out.getvalue() == f"Paper (paper, {account.pk}): both sides agree.\n"


def test_what_blocks_ends_it_with_2_and_amounts_are_texts(account):
    reconciled()
    # Entered here alone: the venue is told of no correction.
    LedgerEntry.objects.create(
        account=account, day=timezone.localdate(), kind="correction", amount=Decimal("-5"), reference="c", reason="x"
    )
    content, code = reconciled()
    [row] = content["accounts"]
    [difference] = row["differences"]
    assert (code, difference["class"], difference["ours"], difference["theirs"]) == (
        *(2, "cash_differs", {"amount": "995.5000"}),
        {"amount": "1000.5000"},
    )
    assert row["blocks"] == ["difference cash_differs: cash"]


def test_an_alarm_and_an_order_of_unknown_fate_end_it_with_2(account):
    reconciled()
    order = Order.objects.create(account=account, **AN_ORDER | {"status": "unknown"})
    OrderAlarm.objects.create(order=order, alarm="overfill", since=timezone.now())
    content, code = reconciled()
    [row] = content["accounts"]
    assert (code, [each["order"] for each in row["unknown_orders"]]) == (2, [order.pk])
    assert row["alarms"][0]["alarm"] == "overfill"


def test_a_broker_that_is_not_asked_ends_it_with_1(account):
    other = User.objects.create_user("ravi")
    configuration = other.broker_configurations.create(broker="zerodha")
    live = {"kind": "live", "broker": "zerodha", "charges_of": "zerodha", "configuration": configuration}
    TradingAccount.objects.create(owner=other, name="Live", **live)
    content, code = reconciled("--account", "Live")
    [row] = content["accounts"]
    assert (code, row["differences"], bool(row["not_compared"])) == (1, [], True)


@pytest.mark.parametrize("wanted", ["", "Nobody", "999999999", "9" * 30, "-1", "1.5", "Replay"])
def test_bad_input_has_a_sentence_and_no_figures(account, wanted):
    TradingAccount.objects.create(name="Replay", kind="paper", broker="simulator", charges_of="zerodha", is_replay=True)
    out = io.StringIO()
    with pytest.raises(CommandError, match="names 0 accounts"):
        call_command("reconcile", "--account", wanted, "--json", stdout=out)
    assert out.getvalue() == ""


def test_a_name_that_two_people_use_is_asked_for_by_its_number(account):
    paper_account(User.objects.create_user("ravi"))
    with pytest.raises(CommandError, match="names 2 accounts"):
        call_command("reconcile", "--account", "Paper")


def test_looking_does_not_move_the_clock_of_a_paper_account(account):
    """Else the session that is played in the evening would find its opening gone."""
    midnight = datetime.combine(timezone.localdate(), time(), IST)
    reconciled()
    content, _ = reconciled()
    assert content["accounts"][0]["at"] == midnight.isoformat()
    assert State.restored(PaperVenue.objects.get().snapshot["state"]).now == midnight
