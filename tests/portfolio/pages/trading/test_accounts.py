"""Accounts: opened once, worth what their ledger and the closes say, and pictured by value."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from django.test import Client

from brokers.models import BrokerConfiguration
from portfolio.models import LedgerEntry, TradingAccount, User
from portfolio.pages.trading.opening import MOST_ACCOUNTS
from tests.accounts import DAY, paper_account
from tests.orders import AT, a_market, deposit, hold

Html = Callable[[str], str]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ten_o_clock")]
GOOD = {"key": "0123456789abcdef", "name": "Momentum", "deposit": "100000.00", "charges_of": "zerodha"}


def test_a_paper_account_is_opened_once_with_its_deposit(client: Client, asha: User, html_of: Html) -> None:
    assert 'name="key" value="' in html_of("/accounts/")
    first = client.post("/accounts/", GOOD)["Location"]
    again = client.post("/accounts/", GOOD | {"name": "Another", "deposit": "5"})["Location"]
    assert first == again
    account = TradingAccount.objects.get()
    assert (account.owner, account.kind, account.broker, account.charges_of) == (asha, "paper", "simulator", "zerodha")
    [entry] = LedgerEntry.objects.all()
    assert (entry.kind, entry.amount, entry.day) == ("deposit", Decimal(100_000), DAY)
    assert "here is the account it opened" in html_of(first)
    assert "₹1,00,000.00" in html_of("/accounts/")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"deposit": "0"}, "'0' is no amount: give ₹ above 0"),
        ({"deposit": "-1"}, "'-1' is no amount"),
        ({"deposit": "NaN"}, "'NaN' is no amount"),
        ({"deposit": "1e9"}, "'1e9' is no amount"),
        ({"deposit": "1.001"}, "'1.001' is no amount"),
        ({"deposit": "1000000001"}, "is no amount"),
        ({"name": ""}, "This field is required."),
        ({"name": "x" * 101}, "at most 100 characters"),
        ({"name": "Taken"}, "asha has an account 'Taken': give it another name."),
        ({"charges_of": "simulator"}, "simulator is not one of the available choices"),
        ({"key": "a b"}, "is no one-time key"),
    ],
)
def test_a_bad_account_is_a_sentence_and_writes_nothing(
    client: Client, asha: User, changes: dict[str, str], sentence: str
) -> None:
    paper_account(asha, "Taken")
    response = client.post("/accounts/", GOOD | changes)
    assert response.status_code == 400
    assert sentence in response.content.decode().replace("&#x27;", "'")
    assert (TradingAccount.objects.count(), LedgerEntry.objects.count()) == (1, 0)


def test_one_may_have_so_many_accounts(client: Client, asha: User) -> None:
    TradingAccount.objects.bulk_create(
        TradingAccount(owner=asha, name=str(n), kind="paper", broker="simulator", charges_of="zerodha")
        for n in range(MOST_ACCOUNTS)
    )
    response = client.post("/accounts/", GOOD)
    assert (response.status_code, TradingAccount.objects.count()) == (400, MOST_ACCOUNTS)


def test_a_portfolio_is_worth_its_cash_and_its_shares(account: TradingAccount, html_of: Html) -> None:
    a_market(AAA=100.0, BBB=55.5)
    deposit(account, 10_000)
    hold(account, "AAA", 40, "90")
    hold(account, "BBB", 100, "60")
    hold(account, "NEVER", 5, "10")
    html = html_of(f"/accounts/{account.pk}/")
    # 40 × 100 + 100 × 55.5 = 9,550 in shares; NEVER has no close and counts nothing.
    assert "₹19,550.00" in html
    assert "without NEVER, which never closed" in html
    assert "not known: a holding has no close" in html
    assert "₹400.00" in html  # (100 - 90) × 40
    assert "−₹450.00" in html  # (55.5 - 60) × 100
    assert html.index("BBB") < html.index("AAA")
    assert 'aria-label="What the value consists of' in html
    assert html.count("Sell on paper") == 3


def test_a_calendar_that_has_ended_is_said_and_nothing_is_guessed(
    client: Client, asha: User, account: TradingAccount, html_of: Html, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = AT.replace(year=2045)
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    client.force_login(asha)
    LedgerEntry.objects.create(
        account=account, day=later.date(), kind="fill", symbol="AAA", quantity=1, amount=-100, reference="NSE:x:1"
    )
    assert "import_market_days" in html_of(f"/accounts/{account.pk}/")
    assert "not known: the calendar ends before today" in html_of("/accounts/")


def test_a_live_account_is_of_ones_own_access_and_made_once(client: Client, asha: User, html_of: Html) -> None:
    sent = {"live_name": "Kite", "broker": "zerodha", "demat_id": "1208160012345678"}
    assert "Add a LIVE account" not in html_of("/accounts/")
    refused = client.post("/accounts/live/", sent)
    assert (refused.status_code, "has no access to zerodha" in refused.content.decode()) == (400, True)
    BrokerConfiguration.objects.create(user=User.objects.create_user("bina"), broker="zerodha")
    assert client.post("/accounts/live/", sent).status_code == 400
    BrokerConfiguration.objects.create(user=asha, broker="zerodha")
    assert "Add a LIVE account" in html_of("/accounts/")
    bad = client.post("/accounts/live/", sent | {"demat_id": "1"})
    assert (bad.status_code, "Give all 16" in bad.content.decode()) == (400, True)
    assert client.post("/accounts/live/", sent | {"broker": "simulator"}).status_code == 400
    first, again = (client.post("/accounts/live/", sent)["Location"] for _ in range(2))
    [account] = TradingAccount.objects.all()
    assert (account.kind, account.owner, account.demat_id, first) == ("live", asha, sent["demat_id"], again)
    assert "Real money at Zerodha" in html_of(first)
