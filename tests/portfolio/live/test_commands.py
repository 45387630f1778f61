"""The commands `trading_account` and `live`: one JSON object, and a sentence with exit 1 on bad input."""

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from portfolio.models import AccountLimits, LedgerEntry, LivePermission, Strategy, TradingAccount, User
from tests.accounts import live_account, may_trade_live, paper_account

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


@pytest.fixture
def asha(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return User.objects.create_user("asha", password=PASSWORD)


def answer(*arguments: str) -> Any:
    out = io.StringIO()
    call_command(*arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def typed(monkeypatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{text}\n"))


def test_an_account_is_made_paid_into_and_listed(asha):
    made = answer("trading_account", "create", "Paper", "--owner", "asha", "--kind", "paper", "--charges-of", "fyers")
    assert (made["kind"], made["broker"], made["charges_of"], made["cash"]) == ("paper", "simulator", "fyers", "0.00")
    for _ in range(2):  # the same payment is entered once
        paid = answer("trading_account", "deposit", "--account", "Paper", "--amount", "1000.50", "--reference", "1")
    assert (paid["cash"], paid["usable"]) == ("1000.50", "1000.50")
    left = answer("trading_account", "withdraw", "--account", "Paper", "--amount", "1000", "--reference", "1")
    assert left["cash"] == "0.50"
    assert answer("trading_account", "list")["accounts"] == [left]
    assert LedgerEntry.objects.count() == 2


def test_a_live_account_is_made_of_the_owners_access_and_trades_nothing(asha):
    create = ("trading_account", "create", "Real", "--owner", "asha", "--kind", "live", "--broker", "zerodha")
    with pytest.raises(CommandError, match="asha has no access to zerodha"):
        answer(*create)
    live_account(asha, "Old").configuration  # noqa: B018  # makes the access
    made = answer(*create)
    assert (made["kind"], made["live"]) == ("live", [])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create", "P", "--owner", "nobody", "--kind", "paper"), "no active user 'nobody'"),
        (("create", "Paper", "--owner", "asha", "--kind", "paper"), "asha has an account 'Paper'"),
        (("create", "P", "--owner", "asha", "--kind", "paper", "--broker", "fyers"), "the simulator's"),
        (("create", "P", "--owner", "asha", "--kind", "live"), "A live account needs a broker"),
        (("create", "P", "--owner", "asha", "--kind", "live", "--broker", "simulator"), "'simulator' is none"),
        (("create", "P", "--owner", "asha", "--kind", "paper", "--charges-of", "simulator"), "no charges of its own"),
        (("create", "P", "--owner", "asha", "--kind", "paper", "--demat-id", "1" * 17), "16"),
        (("deposit", "--account", "Paper", "--amount", "NaN", "--reference", "1"), "NaN is not a positive amount"),
        (("deposit", "--account", "Paper", "--amount", "1e999999", "--reference", "1"), "is not a positive amount"),
        (("deposit", "--account", "Paper", "--amount", "9" * 17, "--reference", "1"), "is not a positive amount"),
        (("deposit", "--account", "Paper", "--amount", "-5", "--reference", "1"), "not a positive amount"),
        (("deposit", "--account", "Paper", "--amount", "ten", "--reference", "1"), "'ten' is no amount"),
        (("deposit", "--account", "Paper", "--amount", "5", "--reference", "1", "--date", "2999-01-01"), "to come"),
        (("deposit", "--account", "None", "--amount", "5", "--reference", "1"), "'None' names 0 accounts"),
        (("withdraw", "--account", "Paper", "--amount", "5", "--reference", "1"), "has ₹0.00 in cash"),
        (("limits", "--account", "Paper", "--drawdown", "2"), "drawdown 2 is no number of at most 4 decimals"),
        (("limits", "--account", "Paper", "--orders-a-day", "0"), "orders_a_day 0 is no whole number"),
        (("right-to-sell", "--account", "Paper", "--is", "per_day", "--on", "2999-01-01"), "still to come"),
    ],
)  # fmt: skip
def test_bad_input_is_a_sentence_and_changes_nothing(asha, arguments, words):
    paper_account(asha)
    with pytest.raises(CommandError, match=words):
        answer("trading_account", *arguments)
    assert (TradingAccount.objects.count(), LedgerEntry.objects.count(), AccountLimits.objects.count()) == (1, 0, 0)


def test_limits_are_set_shown_and_unset(asha):
    paper_account(asha)
    limits = ("trading_account", "limits", "--account", "Paper")
    assert answer(*limits)["limits"] == {}
    set_to = answer(*limits, "--order-value", "25000", "--orders-a-day", "5", "--drawdown", "0.2")["limits"]
    assert set_to == {"order_value": "25000.0000", "orders_a_day": 5, "drawdown": "0.2000"}
    assert answer(*limits, "--drawdown", "none")["limits"] == {"order_value": "25000.0000", "orders_a_day": 5}


def test_the_right_to_sell_is_kept(asha):
    live_account(asha)
    kept = answer("trading_account", "right-to-sell", "--account", "Real", "--is", "per_day")
    assert (kept["right_to_sell"], kept["authorised_on"]) == ("per_day", timezone.localdate().isoformat())


def test_live_is_turned_on_by_name_and_password_and_off_without(asha, settings, monkeypatch):
    may_trade_live(settings)
    live_account(asha)
    until = (timezone.localtime() + timedelta(days=2)).date().isoformat()
    on = ("live", "on", "--account", "Real", "--by-hand", "--user", "asha", "--until", until)
    typed(monkeypatch, "wrong")
    with pytest.raises(CommandError, match="The password is not right"):
        answer(*on, "--confirm", "Real")
    typed(monkeypatch, PASSWORD)
    with pytest.raises(CommandError, match="name was not typed"):
        answer(*on, "--confirm", "real")
    typed(monkeypatch, PASSWORD)
    state = answer(*on, "--confirm", "Real")
    [row] = state["on"]
    assert (row["name"], row["strategy"], row["given_by"]) == ("Real", "by hand", "asha")
    assert row["until"] == f"{until}T23:59:59+05:30"
    assert answer("live", "status") == state
    off = answer("live", "off", "--account", "Real", "--all", "--reason", "Odd fills.")
    assert off["on"] == []
    assert off["ended"][0]["ended_by"].endswith(": Odd fills.")


def test_a_strategy_is_ones_own_before_the_systems(asha, settings, monkeypatch):
    may_trade_live(settings)
    live_account(asha)
    own = Strategy.objects.create(owner=asha, name="momentum", kind="momentum")
    until = (timezone.localtime() + timedelta(days=1)).isoformat(timespec="minutes")[:16]
    on = ("live", "on", "--account", "Real", "--user", "asha", "--until", until, "--confirm", "Real")
    typed(monkeypatch, PASSWORD)
    answer(*on, "--strategy", "momentum")
    assert LivePermission.objects.get().strategy == own
    with pytest.raises(CommandError, match="asha has no strategy 'luck'"):
        answer(*on, "--strategy", "luck")


@pytest.mark.parametrize(("until", "words"), [("soon", "'soon' is no time"), ("2020-01-01", "choose a time to come")])
def test_a_time_that_is_none_turns_nothing_on(asha, settings, monkeypatch, until, words):
    may_trade_live(settings)
    live_account(asha)
    typed(monkeypatch, PASSWORD)
    with pytest.raises(CommandError, match=words):
        answer("live", "on", "--account", "Real", "--by-hand", "--user", "asha", "--until", until, "--confirm", "Real")


def test_a_password_is_no_option():
    """It would stand in the list of processes and in the shell's history."""
    on = (
        "live",
        "on",
        "--account",
        "Real",
        "--by-hand",
        "--user",
        "asha",
        "--until",
        "2026-01-01",
        "--confirm",
        "Real",
    )
    with pytest.raises(CommandError, match="unrecognized arguments: --password"):
        call_command(*on, "--password", PASSWORD)
