"""No path leads from a paper account to a live adapter: page, API, admin, command, plan and retry, all are walked.

The owner has an access with a token at both brokers, the installation may trade live, and a live account beside the
paper one is turned on: whatever is sent in the name of the paper account, no adapter's method is called.
"""

import io
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command, get_commands
from django.db import IntegrityError, transaction
from django.test import Client

from brokers.accounts import store_secrets
from brokers.models import BrokerConfiguration
from brokers.protocol import CALLS, WRITES, Unavailable
from portfolio.live.digests import account_digest, parameters_digest
from portfolio.live.permissions import permission_in_force
from portfolio.live.release import release
from portfolio.models import (
    LivePermission,
    Order,
    OrderEvent,
    PaperVenue,
    Plan,
    Strategy,
    TradedStrategy,
    TradingAccount,
    User,
)
from portfolio.orders import book, desk
from portfolio.orders.events import Event, Kind
from portfolio.sending.sender import Sender
from portfolio.sending.venues import venue_of
from tests.accounts import DAY, live_account, may_trade_live, paper_account
from tests.orders import AT, a_market, a_wish, deposit, hold
from tests.tradingsite.test_who_may import FIRST_ROUTES, ROUTES, N, rules_of

pytestmark = pytest.mark.django_db
READS_AN_ACCESS = re.compile(r"brokers/")
"""Pages of a person's access to a broker, which is no account's: they may read there."""

ENDS_THE_WALK = re.compile(r"logout/|admin/logout/|admin/password_change/")
OF_ACCOUNTS = re.compile(r"(api/)?(accounts|orders|plans|kill-switch|brokers|live)/")

WALKED = {
    "backtest": (),
    "kill_switch": (("off", "--reason", "walked"), ("on", "--reason", "walked"), ("off", "--reason", "walked")),
    "ledger": (("show", "--account", "Paper", "--json"),),
    "live": (
        ("status", "--json"),
        ("off", "--account", "Paper", "--all", "--json"),
        ("on", "--account", "Paper", "--by-hand", "--user", "asha", "--until", "2026-02-03", "--confirm", "Paper"),
    ),
    "order_sender": (("--account", "Paper", "--once"),),
    "paper_replay": (("--strategy", "model", "--from", "2026-02-02", "--to", "2026-02-03", "--capital", "1000"),),
    "plans": (("--account", "Paper", "--json"), ("approve", "1", "--user", "asha", "--digest", "0" * 64, "--json")),
    "reconcile": (("--account", "Paper", "--json"),),
    "tax_lots": (("--account", "Paper", "--json"),),
    "trading_account": (("list", "--json"), ("limits", "--account", "Paper", "--drawdown", "0.5", "--json")),
}
"""Arguments of each command that may concern an account."""

OF_NO_ACCOUNT = {"api_token", "deactivate_user", "model_guide", "order_replay"}


@pytest.fixture
def live_calls(monkeypatch) -> list[str]:
    """The calls of every live adapter, recorded instead of made."""
    from brokers.fyers.broker import FyersBroker
    from brokers.zerodha.broker import ZerodhaBroker

    calls: list[str] = []
    for adapter in (FyersBroker, ZerodhaBroker):
        for call in (*CALLS, "trading_limits"):
            if hasattr(adapter, call):
                monkeypatch.setattr(adapter, call, _recorder(calls, call))
    return calls


def _recorder(calls: list[str], name: str) -> Any:
    def record(*_: Any, **__: Any) -> Any:
        calls.append(name)
        raise Unavailable(f"A live adapter's {name} was called.", sent=False)

    return record


@pytest.fixture
def paper(settings, monkeypatch, tmp_path) -> TradingAccount:
    """A paper account with money, shares, a plan and a queued order, amid all that may lead astray."""
    may_trade_live(settings)
    settings.OUTGOING_IP, settings.MARKET_DATA_PROVIDER = "203.0.113.7", "zerodha"
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.KILL_SWITCH_FILE = tmp_path / "kill_switch"
    monkeypatch.setattr("django.utils.timezone.now", lambda: AT)
    asha = User.objects.create_superuser("asha", password="asha's own password")
    for broker in ("zerodha", "fyers"):
        access = BrokerConfiguration.objects.create(
            user=asha, broker=broker, client_id="AB1", app_key="key", is_active=True, is_data_account=True
        )
        store_secrets(access, api_secret="secret", access_token="token", token_expires_at=AT + timedelta(days=1))
    a_market(AAA=100.0, BBB=50.0)
    account = paper_account(asha)
    deposit(account)
    hold(account, "AAA", 10)
    strategy = Strategy.objects.create(owner=asha, name="mine", kind="momentum")
    TradedStrategy.objects.create(account=account, strategy=strategy, terms={"holdings": 10}, first_session=DAY)
    plan = {"account": account, "strategy": strategy, "session": DAY, "trades_on": DAY, "digest": "0" * 64}
    Plan.objects.create(content={"tickets": [], "target": [], "waiting": []}, **plan)
    live = live_account(asha)
    for each in (live, account):  # a row for the paper account, too, that somebody wrote into the table
        facts = {"account_digest": account_digest(each), "parameters_digest": parameters_digest(each, None)}
        LivePermission.objects.create(
            account=each, given_by=asha, given_at=AT, until=AT + timedelta(days=9), release=release(), **facts
        )
    desk.place(account, a_wish(), AT)
    return account


def payload(account: TradingAccount, number: int) -> dict[str, Any]:
    """What any form of an account, an order or a plan may ask for, with a key of its own."""
    return {
        "key": f"key{number:08}", "symbol": "BBB", "side": "buy", "quantity": "1", "order_type": "limit", "price": "50",
        "reason": "walked", "to": "off", "name": f"New {number}", "charges_of": "zerodha", "deposit": "1000",
        "proof": "asha's own password", "confirmation": account.name, "account": account.pk, "kind": "paper",
        "broker": "zerodha", "is_live": "on", "action": "retry",
        "digest": "0" * 64, "approve": "yes", "until": "2026-02-03",
    }  # fmt: skip


def walked_routes(*, every: bool) -> Iterator[str]:
    """Each route that an account, an order or a plan has to do with; of the others one of each rule, or every one."""
    for route in ROUTES:
        if not ENDS_THE_WALK.match(route) and (every or OF_ACCOUNTS.match(route) or route in FIRST_ROUTES):
            yield route


def addresses_of(route: str, account: TradingAccount) -> list[str]:
    """The route for the account, its orders and its plan: every number in it becomes one of theirs."""
    keys = [account.pk, *Order.objects.filter(account=account).values_list("pk", flat=True)[:2]]
    keys += Plan.objects.filter(account=account).values_list("pk", flat=True)
    if "<" not in route and "(?P" not in route:
        return ["/" + re.sub(r"[\^$\\]", "", route)]
    text = re.sub(r"<(str:)?broker>", "zerodha", route).replace("<day:day>", DAY.isoformat())
    text = re.sub(r"\(\?P<[^>]+>[^)]*\)", "portfolio" if "app_label" in text else "1", text)
    return ["/" + re.sub(r"<[^>]+>", str(key), re.sub(r"[\^$\\]", "", text)) for key in sorted(set(keys))]


def turn(account: TradingAccount) -> None:
    """What the account's sender does, twice: the second as after a restart."""
    for seconds in (1, 90):
        clock = lambda seconds=seconds: AT + timedelta(seconds=seconds)  # noqa: E731
        with venue_of(account, clock) as venue, Sender(account, venue, clock) as sender:
            sender.step()


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.long)])
def test_pages_api_and_admin_never_reach_a_live_adapter(paper, live_calls, every):
    client = Client(raise_request_exception=True)
    client.force_login(paper.owner)
    before = Order.objects.count()
    number = 0
    for route in walked_routes(every=every):
        changes = any(rule.changes != N for rule in rules_of(route))
        for address in addresses_of(route, paper):
            for method in ("get", "post") if changes else ("get",):
                number += 1
                with transaction.atomic():
                    getattr(client, method)(address, payload(paper, number) if method == "post" else {})
                client.force_login(paper.owner)
        if OF_ACCOUNTS.match(route):
            turn(paper)  # what was asked is carried out before an operator's form abandons it
        reads = {call for call in live_calls if call not in WRITES}
        assert not READS_AN_ACCESS.match(route) or not set(live_calls) & WRITES
        if READS_AN_ACCESS.match(route) and reads:
            live_calls.clear()
        assert live_calls == [], route
    assert Order.objects.count() > before  # the walk did place orders
    assert OrderEvent.objects.filter(kind="send").exists()  # and the sender sent some


def test_commands_never_reach_a_live_adapter(paper, live_calls, monkeypatch):
    names = {name for name, app in get_commands().items() if app == "portfolio"}
    assert names - OF_NO_ACCOUNT == WALKED.keys(), "a new command: walk it, or say that it is of no account"
    monkeypatch.setattr("signal.signal", lambda *_: None)  # the sender's, which would stay
    for name, runs in WALKED.items():
        for arguments in runs:
            monkeypatch.setattr("sys.stdin", io.StringIO("asha's own password\n"))
            with suppress(CommandError, SystemExit):  # refused, or something blocks: nothing was sent
                call_command(name, *arguments, stdout=io.StringIO(), stderr=io.StringIO())
        assert live_calls == [], name
    assert {row.account.kind for row in LivePermission.objects.filter(ended_at=None)} <= {"live"}


def test_what_is_queued_goes_to_the_simulator_alone(paper, live_calls):
    turn(paper)
    order = Order.objects.get(intent__purpose="by_hand 1")
    assert order.status in ("open", "partly_filled", "filled", "rejected")
    assert PaperVenue.objects.filter(account=paper).exists()
    assert live_calls == []


def test_a_retry_after_a_lost_answer_looks_at_the_simulator_alone(paper, live_calls):
    order = Order.objects.get()
    book.record(order, [Event(Kind.SEND, "send", "", AT)])
    turn(paper)
    order.refresh_from_db()
    assert (order.status, live_calls) == ("unknown", [])


@pytest.mark.parametrize("broker", ["zerodha", "fyers"])
def test_an_account_whose_object_says_otherwise_still_goes_to_the_simulator(paper, live_calls, broker):
    paper.broker, paper.charges_of, paper.kind = broker, broker, "live"
    paper.configuration = BrokerConfiguration.objects.get(broker=broker)
    turn(paper)
    assert live_calls == []


def test_the_database_keeps_paper_and_live_apart(paper):
    access = BrokerConfiguration.objects.get(broker="zerodha")
    for changes in ({"broker": "zerodha"}, {"configuration": access}, {"kind": "live"}):
        with pytest.raises(IntegrityError, match="trading_accounts_paper_is_simulated"), transaction.atomic():
            TradingAccount.objects.filter(pk=paper.pk).update(**changes)


def test_a_permission_that_somebody_wrote_for_it_is_none(paper):
    assert permission_in_force(paper, None, AT + timedelta(hours=1)) is None
    paper.kind = "live"  # the object alone
    assert permission_in_force(paper, None, AT + timedelta(hours=1)) is None
    assert LivePermission.objects.get(account=paper).ended_by == "the account trades on paper"
