"""Live trading: off, given by the owner alone and for a time, and over with any change."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from brokers.charges import Side
from brokers.protocol import Refused
from portfolio.live import permissions, release
from portfolio.live.permissions import Confirmation, NotGranted, grant, permission_in_force, why_not_live
from portfolio.models import LivePermission, Strategy, TradedStrategy, User
from portfolio.orders import book, desk
from portfolio.orders.events import Event, Kind
from portfolio.sending.venues import venue_of
from tests.accounts import DAY, live_account, may_trade_live, paper_account
from tests.orders import AT, a_market, a_wish, deposit, hold
from tradingsite.checks import live_trading

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
UNTIL = AT + timedelta(days=2)
LATER = AT + timedelta(hours=1)


@pytest.fixture
def asha(settings):
    may_trade_live(settings)
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return User.objects.create_user("asha", password=PASSWORD)


@pytest.fixture
def account(asha):
    return live_account(asha)


@pytest.fixture
def strategy(account):
    strategy = Strategy.objects.create(owner=account.owner, name="mine", kind="momentum", parameters={"holdings": 10})
    TradedStrategy.objects.create(account=account, strategy=strategy, terms={"holdings": 10}, first_session=DAY)
    return strategy


def given(account, strategy=None, **changed: Any) -> LivePermission:
    terms: dict[str, Any] = {
        "by": account.owner,
        "confirmation": Confirmation(account.name, PASSWORD),
        "until": UNTIL,
        "at": AT,
    }
    return grant(account, strategy, **terms | changed)


def test_it_is_off_until_it_is_given_for_exactly_this(account, strategy):
    assert permission_in_force(account, strategy, AT) is None
    assert why_not_live(account, strategy, AT) == "live trading is off for mine; its owner turns it on"
    row = given(account, strategy)
    assert permission_in_force(account, strategy, LATER) == row
    assert (row.given_by.username, row.given_at, row.until) == ("asha", AT, UNTIL)
    assert permission_in_force(account, None, LATER) is None  # by hand is another thing
    other = live_account(account.owner, "Another")
    assert permission_in_force(other, strategy, LATER) is None


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"confirmation": Confirmation("real", PASSWORD)}, r"name was not typed as it is \(Real\)"),
        ({"confirmation": Confirmation("Real", "wrong")}, "The password is not right"),
        ({"confirmation": Confirmation("Real", "")}, "The password is not right"),
        ({"until": AT}, "choose a time to come, at most 7 days ahead"),
        ({"until": AT - timedelta(days=1)}, "choose a time to come"),
        ({"until": AT + timedelta(days=7, seconds=1)}, "choose a time to come"),
    ],
)
def test_what_is_missing_or_too_long_gives_nothing(account, changed, words):
    with pytest.raises(NotGranted, match=words):
        given(account, **changed)
    assert not LivePermission.objects.exists()


def test_nobody_gives_it_for_an_account_of_another(account):
    admin = User.objects.create_superuser("root", password=PASSWORD)
    with pytest.raises(NotGranted, match="Real is not your account"):
        given(account, by=admin)
    account.owner.is_active = False
    with pytest.raises(NotGranted, match="Real is not your account"):
        given(account, by=account.owner)


def test_a_paper_account_never_gets_it_nor_another_persons_strategy(account):
    paper = paper_account(account.owner)
    with pytest.raises(NotGranted, match="Paper is a paper account"):
        given(paper, confirmation=Confirmation("Paper", PASSWORD))
    foreign = Strategy.objects.create(owner=User.objects.create_user("binu"), name="theirs", kind="momentum")
    with pytest.raises(NotGranted, match="theirs is switched off, or another person's"):
        given(account, foreign)


def test_a_row_for_a_paper_account_is_no_permission(account):
    """Also when somebody wrote one into the table."""
    row = given(account)
    paper = paper_account(account.owner)
    LivePermission.objects.filter(pk=row.pk).update(account=paper, account_digest="")
    assert permission_in_force(paper, None, LATER) is None


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("DEBUG", True, "DEBUG is on"),
        ("PROVIDER_KIND", "simulated", "The market is simulated"),
        ("SECRET_KEY", "made by itself", "SECRET_KEY is the one that was made at the first start"),
        ("CREDENTIAL_KEYS", ["derived"], "CREDENTIAL_KEYS is not set"),
    ],
)
def test_an_installation_that_is_none_for_real_money_refuses_it_everywhere(
    account, settings, tmp_path, name, value, words
):
    (tmp_path / "secret_key").write_text("made by itself")
    settings.VAR_DIR, settings.DERIVED_CREDENTIAL_KEY = tmp_path, "derived"
    given(account)
    assert live_trading(None) == []
    setattr(settings, name, value)
    with pytest.raises(NotGranted, match=words):
        given(account)
    assert permission_in_force(account, None, LATER) is None
    assert words in why_not_live(account, None, LATER)
    with pytest.raises(Refused, match=words), venue_of(account, lambda: LATER):
        pass
    [error] = live_trading(None)
    assert (error.id, words in error.msg) == ("site.E051", True)
    type(account).objects.filter(pk=account.pk).update(is_active=False)
    assert live_trading(None) == []


def test_its_time_ends_it(account):
    given(account)
    assert permission_in_force(account, None, UNTIL - timedelta(seconds=1)) is not None
    assert permission_in_force(account, None, UNTIL) is None
    row = LivePermission.objects.get()
    assert (row.ended_at, row.ended_by) == (UNTIL, "its time was over at 2026-02-04 10:00")
    # A clock that is set back does not bring it to life again.
    assert permission_in_force(account, None, LATER) is None


def test_a_clock_before_it_was_given_is_not_trusted(account):
    given(account)
    assert permission_in_force(account, None, AT - timedelta(hours=1)) is None
    assert permission_in_force(account, None, LATER) is not None


def test_another_release_ends_it(account, monkeypatch):
    given(account)
    monkeypatch.setattr(permissions, "release", lambda: "0.2.0 abc")
    assert permission_in_force(account, None, LATER) is None
    assert "the release changed from" in LivePermission.objects.get().ended_by


def test_a_release_is_told_by_every_source_file(settings, tmp_path):
    def of_source(text: str) -> str:
        (tmp_path / "portfolio").mkdir(exist_ok=True)
        (tmp_path / "portfolio" / "a.py").write_text(text)
        release.release.cache_clear()
        return release.release()

    settings.BASE_DIR = tmp_path
    assert of_source("a = 1") == of_source("a = 1") != of_source("a = 2")
    release.release.cache_clear()


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Real 2"},
        {"demat_id": "1234567812345678"},
        {"charges_of": "fyers"},
        {"is_active": False},
        {"configuration__client_id": "ZZ9999"},
        {"configuration__app_key": "another"},
        {"configuration__is_active": False},
    ],
)
def test_any_change_of_the_account_ends_it(account, change):
    given(account)
    for name, value in change.items():
        row = account.configuration if name.startswith("configuration__") else account
        type(row).objects.filter(pk=row.pk).update(**{name.removeprefix("configuration__"): value})
    assert permission_in_force(account, None, LATER) is None
    assert LivePermission.objects.get().ended_by == "the account changed"


def test_a_new_token_of_the_day_is_no_change_of_the_account(account):
    given(account)
    account.configuration.access_token = "sealed"
    account.configuration.save()
    assert permission_in_force(account, None, LATER) is not None


@pytest.mark.parametrize(
    "change",
    [
        lambda strategy: Strategy.objects.filter(pk=strategy.pk).update(parameters={"holdings": 11}),
        lambda strategy: Strategy.objects.filter(pk=strategy.pk).update(capital=5),
        lambda strategy: Strategy.objects.filter(pk=strategy.pk).update(is_active=False),
        lambda strategy: TradedStrategy.objects.update(terms={"holdings": 9}),
        lambda strategy: TradedStrategy.objects.update(is_active=False),
    ],
)
def test_any_change_of_the_strategy_or_its_terms_ends_it(account, strategy, change):
    given(account, strategy)
    change(strategy)
    assert permission_in_force(account, strategy, LATER) is None
    assert LivePermission.objects.get().ended_by == "the strategy or its terms changed"


def test_who_gave_it_must_still_own_it(account):
    given(account)
    User.objects.filter(pk=account.owner_id).update(is_active=False)
    assert permission_in_force(account, None, LATER) is None


def test_it_is_ended_by_a_person_and_given_anew(account):
    first = given(account)
    second = given(account, at=LATER)
    first.refresh_from_db()
    assert (first.ended_at, first.ended_by) == (LATER, "asha gave a new one")
    assert permission_in_force(account, None, LATER) == second
    assert permissions.end(account, None, "root", "Odd fills.", LATER) == 1
    assert permissions.end(account, None, "root", "Odd fills.", LATER) == 0
    assert why_not_live(account, None, LATER) == (
        "live trading is off for orders by hand, it ended: root: Odd fills.; its owner turns it on"
    )


def test_every_change_of_it_is_in_the_audit(account):
    given(account)
    permissions.end_all(account, "asha", "", LATER)
    with connection.cursor() as cursor:
        cursor.execute("SELECT act FROM audit_log WHERE table_name = 'live_permissions' ORDER BY id")
        assert [act for (act,) in cursor.fetchall()] == ["insert", "update"]


def test_an_order_of_a_live_account_is_refused_while_it_is_off(account, settings):
    settings.OUTGOING_IP = "203.0.113.7"
    a_market()
    deposit(account)
    refused = desk.place(account, a_wish(), AT)
    assert [each.code for each in desk.refusals_of(refused)] == ["account_blocked"]
    given(account)
    assert desk.place(account, a_wish(purpose="by_hand 2"), LATER).status == "queued"


def test_what_is_in_the_market_is_looked_after_when_it_is_over(account, settings, monkeypatch):
    settings.OUTGOING_IP = "203.0.113.7"
    a_market()
    deposit(account)
    given(account)
    order = desk.place(account, a_wish(), LATER)
    permissions.end_all(account, "asha", "", LATER)
    with pytest.raises(Refused, match="Live trading is off for Real"), venue_of(account, lambda: LATER):
        pass
    book.record(order, [Event(Kind.SEND, "send", "", AT), Event(Kind.ANSWER, "answer", "", AT, broker_order_id="7")])
    assert permissions.why_not_open(account, LATER) == ""


@pytest.mark.parametrize(
    ("authorisation", "authorised_on", "expected"),
    [
        ("standing", None, []),
        ("per_day", DAY, []),
        ("per_day", DAY - timedelta(days=1), ["not_authorised_to_sell"]),
        ("per_day", None, ["not_authorised_to_sell"]),
        ("unknown", DAY, ["not_authorised_to_sell"]),
    ],
)
def test_a_live_sale_needs_the_right_to_sell(account, settings, authorisation, authorised_on, expected):
    settings.OUTGOING_IP = "203.0.113.7"
    a_market()
    hold(account, "AAA", 10)
    account.sell_authorisation, account.sell_authorised_on = authorisation, authorised_on
    account.save()
    given(account)
    order = desk.place(account, a_wish(side=Side.SELL), LATER)
    assert [each.code for each in desk.refusals_of(order)] == expected


@pytest.mark.parametrize("address", ["", "203.0.113.8"])
def test_live_orders_leave_from_a_registered_address_alone(account, settings, address):
    settings.OUTGOING_IP = address
    a_market()
    deposit(account)
    given(account)
    order = desk.place(account, a_wish(), LATER)
    assert [each.code for each in desk.refusals_of(order)] == ["static_ip"]
