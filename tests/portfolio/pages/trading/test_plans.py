"""Plans: what they say, their approval from page and API, and the strategy that an account trades."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from portfolio.live.permissions import Confirmation, grant
from portfolio.models import Plan, Strategy, TradedStrategy, TradingAccount, User
from tests.accounts import DAY, live_account, may_trade_live
from tests.orders import AT, a_market
from tests.portfolio.pages.trading.accounts_to_see import a_plan
from tests.tokens import token_key

Html = Callable[[str], str]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ten_o_clock")]
PASSWORD = "correct horse battery"


@pytest.fixture
def live(asha: User, settings: Any) -> TradingAccount:
    may_trade_live(settings)
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    asha.set_password(PASSWORD)
    asha.save()
    account = live_account(asha)
    strategy = Strategy.objects.get(owner=None, name="momentum")
    grant(account, strategy, asha, Confirmation(account.name, PASSWORD), AT + timedelta(days=2), AT)
    return account


@pytest.fixture
def by_session(client: Client, live: TradingAccount) -> Client:
    client.force_login(live.owner)  # type: ignore[arg-type]
    return client


def test_a_live_plan_is_approved_once_exactly_as_it_was_read(
    by_session: Client, live: TradingAccount, html_of: Html
) -> None:
    plan = a_plan(live, DAY)
    html = html_of(f"/plans/{plan.pk}/")
    assert "Approve 3 LIVE orders, real money at Zerodha" in html
    for words in ("no longer wanted", "It has no bar of this session.", "Nothing stands at the broker overnight"):
        assert words in html
    for digest in ("", "0" * 64, plan.digest[:-1]):
        assert by_session.post(f"/plans/{plan.pk}/approve/", {"digest": digest}).status_code == 400
    assert by_session.post(f"/plans/{plan.pk}/approve/", {"digest": plan.digest}).status_code == 302
    again = by_session.post(f"/plans/{plan.pk}/approve/", {"digest": plan.digest})
    assert (again.status_code, "approved already" in again.content.decode()) == (400, True)
    plan.refresh_from_db()
    assert (plan.status, plan.approved_by, plan.approved_at) == ("approved", live.owner, AT)


def test_the_api_approves_the_plan_of_a_digest_in_a_session(by_session: Client, live: TradingAccount) -> None:
    plan = a_plan(live, DAY)

    def approve(digest: Any, api: Client = by_session) -> Any:
        return api.post(f"/api/plans/{plan.pk}/approve/", {"digest": digest}, content_type="application/json")

    assert [approve(digest).status_code for digest in ("x", None, 1, "0" * 64)] == [400] * 4
    approved = approve(plan.digest).json()["plan"]
    assert (approved["status"], approved["approved_by"]) == ("approved", "asha")
    assert approve(plan.digest).json()["error"]["code"] == "refused"
    listed = by_session.get(f"/api/accounts/{live.pk}/plans/").json()["plans"]
    assert [(each["id"], len(each["content"]["tickets"])) for each in listed] == [(plan.pk, 3)]
    other = Client()
    other.force_login(User.objects.create_user("b"))
    assert approve(plan.digest, other).status_code == 404


def test_no_token_approves_a_live_plan(live: TradingAccount) -> None:
    plan = a_plan(live, DAY)
    assert live.owner is not None
    api = Client(headers={"Authorization": f"Token {token_key(live.owner)}"})
    refused = api.post(f"/api/plans/{plan.pk}/approve/", {"digest": plan.digest}, content_type="application/json")
    assert (refused.status_code, refused.json()["error"]["message"]) == (403, "No API token may do this; log in.")
    plan.refresh_from_db()
    assert (plan.status, plan.approved_by) == ("waiting", None)


def test_a_plan_that_comes_too_late_or_is_of_paper_is_not_approved(
    by_session: Client, live: TradingAccount, account: TradingAccount, html_of: Html
) -> None:
    late, paper = a_plan(live, DAY - timedelta(days=1)), a_plan(account, DAY)
    for plan in (late, paper):
        assert by_session.post(f"/plans/{plan.pk}/approve/", {"digest": plan.digest}).status_code == 400
    assert "LIVE" not in html_of(f"/plans/{paper.pk}/")
    assert not Plan.objects.filter(status="approved").exists()


def test_an_account_trades_one_strategy_until_it_is_stopped(
    client: Client, asha: User, account: TradingAccount, html_of: Html
) -> None:
    a_market()
    page = f"/accounts/{account.pk}/plans/"
    key = str(Strategy.objects.get(owner=None, name="momentum").pk)
    for _ in range(2):
        assert client.post(page, {"strategy": key, "holdings": "10"}).status_code == 302
    [traded] = TradedStrategy.objects.all()
    assert (traded.terms, traded.first_session) == ({"holdings": 10, "keep": 40, "every": 10, "reweigh": "none"}, DAY)
    assert "It trades momentum" in html_of(page)
    assert client.post(page, {"strategy": key, "holdings": "12"}).status_code == 302
    assert list(TradedStrategy.objects.filter(is_active=True).values_list("terms__holdings", flat=True)) == [12]
    assert client.post(f"{page}stop/").status_code == 302
    assert "It trades no strategy" in html_of(page)
    assert not TradedStrategy.objects.filter(is_active=True).exists()


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"holdings": "0"}, "Give a whole number from 1"),
        ({"holdings": "1.5"}, "Give a whole number from 1"),
        ({"holdings": "50", "keep": "40"}, "keep: 40 is below holdings, 50"),
        ({"strategy": "99999"}, "99999 is not one of the available choices"),
        ({"reweigh": "sometimes"}, "sometimes is not one of the available choices"),
    ],
)
def test_terms_that_contradict_each_other_are_a_sentence(
    client: Client, account: TradingAccount, sent: dict[str, str], sentence: str
) -> None:
    a_market()
    theirs = Strategy.objects.create(owner=User.objects.create_user("bina"), name="hers", kind="momentum")
    good = {"strategy": str(Strategy.objects.get(owner=None, name="momentum").pk)}
    page = f"/accounts/{account.pk}/plans/"
    response = client.post(page, good | sent)
    assert (response.status_code, sentence in response.content.decode()) == (400, True)
    assert client.post(page, {"strategy": str(theirs.pk)}).status_code == 400
    assert not TradedStrategy.objects.exists()
