"""The pages of accounts: whose they are, what stands first, and the kill switch in every header."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from brokers.charges import Side
from brokers.protocol import OrderType
from portfolio.models import Difference, KillSwitch, Order, OrderAlarm, Plan, Strategy, TradingAccount, User
from portfolio.orders import book
from portfolio.orders.events import Event, Kind
from portfolio.orders.evidence import Draft
from portfolio.orders.kill_switch import switch
from tests.accounts import DAY, IST

Html = Callable[[str], str]

pytestmark = pytest.mark.django_db
AT = datetime(2026, 2, 2, 9, 0, tzinfo=IST)
PAGES = ("", "orders/", "trades/", "plans/", "differences/", "ledger/")


def order_of(account: TradingAccount, symbol: str = "M&M", events: list[Event] | None = None) -> Order:
    draft = Draft(str(account.pk), DAY, symbol, Side.BUY, 10, OrderType.LIMIT, Decimal("100.50"))
    order, _ = book.order_for(account, book.Wish(draft, f"by_hand {symbol}", wished_by=account.owner), AT)
    return book.record(order, events or [])


def filled(account: TradingAccount) -> Order:
    return order_of(
        account,
        events=[
            Event(Kind.QUEUE, "queue", "", AT),
            Event(Kind.SEND, "send", "", AT.replace(minute=1)),
            Event(Kind.ANSWER, "answer", "", AT.replace(minute=1, second=1), broker_order_id="77"),
            Event(
                Kind.FILL,
                "fill:T1",
                "",
                AT.replace(minute=17),
                trade_id="T1",
                quantity=10,
                price=Decimal("100.25"),
                broker_at=AT.replace(minute=16),
            ),
        ],
    )


def test_an_order_is_told_from_its_wish_to_its_ledger(client: Client, account: TradingAccount, html_of: Html) -> None:
    order = filled(account)
    html = html_of(f"/orders/{order.pk}/")
    for words in (
        "Buy 10 M&amp;M",
        "It was wanted: buy 10 shares.",
        "The broker took it in as 77.",
        "Filled: 10 shares at ₹100.25, trade T1.",
        "NSE:2026-02-02:T1",
        "−₹1,002.50",
        "All of them let it pass.",
        order.tag or "",
    ):
        assert words in html
    assert "₹1,002.50" in html_of(f"/accounts/{account.pk}/trades/")
    assert "M&amp;M" in html_of(f"/accounts/{account.pk}/orders/")


def test_paper_says_so_on_every_page_and_live_never_looks_like_it(
    client: Client, account: TradingAccount, html_of: Html
) -> None:
    for page in PAGES:
        html = html_of(f"/accounts/{account.pk}/{page}")
        assert '<div class="of-account paper">' in html
        assert "No real money: a simulated broker" in html
        assert "LIVE" not in html


def test_nobody_sees_the_rows_of_another_not_even_a_superuser(account: TradingAccount) -> None:
    order = filled(account)
    plan = Plan.objects.create(
        account=account, strategy=Strategy.objects.earliest("id"), session=DAY, trades_on=DAY, content={}, digest="0"
    )
    addresses = [f"/accounts/{account.pk}/{page}" for page in PAGES]
    addresses += [f"/orders/{order.pk}/", f"/plans/{plan.pk}/", f"/accounts/{10**30}/", f"/orders/{10**30}/"]
    other = Client()
    other.force_login(get_user_model().objects.create_superuser("root"))
    assert [other.get(address).status_code for address in addresses] == [404] * len(addresses)
    assert account.name not in other.get("/accounts/").content.decode()


def test_a_replays_account_is_in_no_list(client: Client, asha: User) -> None:
    replay = TradingAccount.objects.create(
        name="r", kind="paper", broker="simulator", charges_of="zerodha", is_replay=True
    )
    assert client.get(f"/accounts/{replay.pk}/").status_code == 404


def test_an_order_of_unknown_fate_stands_first_on_every_page(
    client: Client, account: TradingAccount, html_of: Html
) -> None:
    sent = [Event(Kind.QUEUE, "q", "", AT), Event(Kind.SEND, "s", "", AT), Event(Kind.NO_ANSWER, "n", "", AT)]
    order = order_of(account, "RELIANCE", sent)
    order_of(account, "TCS")
    for address in ("/strategies/", "/tax/", f"/accounts/{account.pk}/orders/", "/nowhere/"):
        html = client.get(address).content.decode()
        assert "1 order of unknown fate." in html
        assert f'href="/orders/{order.pk}/"' in html
    listed = html_of(f"/accounts/{account.pk}/orders/")
    assert listed.rindex("RELIANCE") < listed.rindex("TCS")
    other = Client()
    other.force_login(get_user_model().objects.create_user("bina"))
    assert "of unknown fate" not in other.get("/strategies/").content.decode()


def test_the_admin_shows_the_switch_and_unknown_orders_on_its_pages(
    client: Client, account: TradingAccount, asha: User
) -> None:
    asha.is_staff = True
    asha.save()
    sent = [Event(Kind.QUEUE, "q", "", AT), Event(Kind.SEND, "s", "", AT), Event(Kind.NO_ANSWER, "n", "", AT)]
    order = order_of(account, "RELIANCE", sent)
    html = client.get("/admin/password_change/").content.decode()
    assert "Kill switch off</a>" in html
    assert f'href="/orders/{order.pk}/"' in html
    switch(on=True, operator="asha", reason="odd fills")
    assert "Kill switch on</a>: no order is sent" in client.get("/admin/password_change/").content.decode()


def test_what_blocks_stands_on_each_page_of_the_account(client: Client, account: TradingAccount, html_of: Html) -> None:
    facts = {"ours": {"quantity": 10}, "theirs": {"quantity": 8}, "since": AT, "checked_at": AT, "action": "It waits."}
    Difference.objects.create(account=account, kind="event_due", subject="TCS", **facts)
    Difference.objects.create(account=account, kind="quantity_differs", subject="M&M", **facts)
    OrderAlarm.objects.create(order=filled(account), alarm="overfill", since=AT)
    for page in PAGES:
        html = html_of(f"/accounts/{account.pk}/{page}")
        assert html.index("To be cleared") < html.index('aria-label="Pages of the account"')
        assert html.index("Quantity differs") < html.index("Event due")
        assert "Overfill" in html


@pytest.mark.parametrize("is_operator", [True, False])
def test_the_kill_switch_is_in_every_header(client: Client, asha: User, is_operator: bool, html_of: Html) -> None:
    if is_operator:
        asha.user_permissions.add(Permission.objects.get(codename="change_killswitch"))
    html = html_of("/accounts/")
    assert "Kill switch off" in html
    assert ("Stop all orders" in html) is is_operator
    sent = {"to": "on", "reason": "odd fills", "next": "/accounts/"}
    response = client.post("/kill-switch/", sent)
    if not is_operator:
        assert (response.status_code, KillSwitch.objects.count()) == (403, 0)
        return
    assert response["Location"] == "/accounts/"
    html = html_of("/accounts/")
    assert "The kill switch is on." in html
    assert "Let orders go again" in html
    assert "asha: odd fills" in html


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"to": "on", "reason": " "}, "It is switched with a reason"),
        ({"to": "up", "reason": "x"}, "neither on nor off"),
        ({"to": "on", "reason": "x" * 301}, "shorten it"),
        ({}, "neither on nor off"),
    ],
)
def test_a_switching_that_says_too_little_changes_nothing(
    client: Client, asha: User, sent: dict[str, str], sentence: str, html_of: Html
) -> None:
    asha.user_permissions.add(Permission.objects.get(codename="change_killswitch"))
    response = client.post("/kill-switch/", sent | {"next": "https://evil.example/accounts/"})
    assert response["Location"] == "/kill-switch/"
    assert sentence in html_of("/kill-switch/")
    assert not KillSwitch.objects.exists()


def test_a_visitor_sees_no_switch(client: Client) -> None:
    assert "Kill switch" not in client.get("/strategies/").content.decode()
