"""The pages of backtests: who sees what, a start with its errors, progress, result, comparison and CSV; and the API."""

import csv
import io
import re
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.test import Client
from django_q.models import OrmQ

from ml.models import ChampionChange, PickPlace
from portfolio.backtest import queries, writer
from portfolio.models import Backtest, Strategy, User
from tests.backtests import DAYS, RECIPE, content_json, parameters_json, store_completed
from tests.portfolio.market import store_share
from tests.tokens import token_key

pytestmark = pytest.mark.django_db
TERMS = {
    "strategy": "balanced",
    "capital": "1000000",
    "holdings": "20",
    "keep": "40",
    "every": "10",
    "reweigh": "none",
    "settlement": "real",
    "broker": "zerodha",
    "charges": "on",
    "impact": "on",
}


@pytest.fixture(autouse=True)
def _history(db: None) -> None:
    """A champion, and its list's places since the eleventh day."""
    cache.clear()
    store_share("RELIANCE", dict.fromkeys(DAYS[-20:], 1400.0))
    ChampionChange.objects.create(session=DAYS[0], kind="first", recipe=RECIPE, estimator="ensemble", reason="First.")
    for day in DAYS[10:12]:
        PickPlace.objects.create(
            strategy="balanced", session=day, symbol="RELIANCE", place=1, source="walk_forward", recipe=RECIPE
        )


@pytest.fixture
def asha(client: Client) -> User:
    user = get_user_model().objects.create_user("asha")
    client.force_login(user)
    return user


def html_of(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store, private"
    return response.content.decode()


def test_a_backtest_is_started_with_the_defaults(client: Client, asha: User) -> None:
    response = client.post("/backtests/", TERMS)
    backtest = Backtest.objects.get()
    assert response["Location"] == f"/backtests/{backtest.pk}/"
    assert (backtest.owner, backtest.status, backtest.recipe) == (asha, "waiting", RECIPE)
    assert backtest.parameters == parameters_json(first=DAYS[10].isoformat())
    assert {name: backtest.parameters[name] for name in queries.defaults()} == queries.defaults()
    assert OrmQ.objects.get().task["args"] == (backtest.pk,)
    assert client.post("/backtests/", TERMS)["Location"] == response["Location"]
    html = html_of(client, f"/backtests/{backtest.pk}/")
    assert f'data-url="/backtests/{backtest.pk}/state/"' in html
    assert "Cancel" in html


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"capital": "0"}, "capital", "Give a positive amount"),
        ({"capital": "NaN"}, "capital", "Give a positive amount"),
        ({"capital": "1.005"}, "capital", "at most two decimals"),
        ({"holdings": "0"}, "holdings", "Give a whole number from 1 to 150."),
        ({"keep": "10"}, "keep", "Give 20 or more: a share"),
        ({"first": "2024-13-01"}, "first", "Write it as 2024-07-31."),
        ({"first": "2030-01-01"}, "first", "It lies after the last session"),
        ({"last": "2001-01-01"}, "last", "has places since"),
        ({"first": str(DAYS[50]), "last": str(DAYS[40])}, "last", "It lies before the first day"),
        ({"strategy": "value"}, "strategy", "has no places in the pick history yet"),
        ({"strategy": "lottery"}, "strategy", "Select a valid choice"),
        ({"fractional": "on"}, "fractional", "leave them out"),
        ({"broker": "me"}, "broker", "Select a valid choice"),
    ],
)
def test_each_error_stands_beside_its_field(
    client: Client, asha: User, changes: dict[str, str], field: str, sentence: str
) -> None:
    html = html_of_post(client, TERMS | changes)
    beside = re.search(rf'<p class="error" id="id_{field}-error" role="alert">([^<]*)</p>', html)
    assert beside
    assert sentence in beside[1]
    [widget] = re.findall(rf'<(?:input|select)[^>]* id="id_{field}"[^>]*>', html)
    assert f"id_{field}-error" in re.findall(r'aria-describedby="([^"]*)"', widget)[0]
    assert not Backtest.objects.exists()


def html_of_post(client: Client, terms: dict[str, str]) -> str:
    response = client.post("/backtests/", terms)
    assert response.status_code == 200
    return response.content.decode()


def test_a_person_who_has_too_many_is_refused(client: Client, asha: User, settings: Any) -> None:
    settings.BACKTESTS_WAITING = 1
    client.post("/backtests/", TERMS)
    assert "no more than 1 may" in html_of_post(client, TERMS | {"every": "3"})


def test_progress_is_polled_until_the_end(client: Client, asha: User) -> None:
    backtest = writer.request_backtest(asha, parameters_json(), RECIPE)
    Backtest.objects.update(status="running", progress=0.42)
    state = client.get(f"/backtests/{backtest.pk}/state/").json()
    assert (state["status"], state["progress"], state["published"]) == ("running", 0.42, "unfinished")
    assert "42 %" in state["html"]
    Backtest.objects.update(status="failed", reason="The capital is too small for <one> share.")
    state = client.get(f"/backtests/{backtest.pk}/state/").json()
    assert state["published"] == "failed"
    html = html_of(client, f"/backtests/{backtest.pk}/")
    assert "too small for &lt;one&gt; share." in html
    assert "data-url" not in html


def test_a_result_is_shown_as_it_is_stored(client: Client, asha: User) -> None:
    backtest = store_completed(asha)
    html = html_of(client, f"/backtests/{backtest.pk}/")
    for text in ("+33.20 %", "−9.80 %", "1.21", "₹4.8 crore", "+6.10 %", "−3.00 % to +15.50 %", "₹164.64", "₹15.34"):
        assert text in html
    for text in ("GONE", "120 at ₹41.20", "Dividend Rs 10", "2024-II" if DAYS[0].year == 2024 else "2025-II"):
        assert text in html
    for sentence in (
        "walk-forward",
        "Sectors and symbols are those of today",
        "NIFTYBEES keeps",
        "assumed",
        "put back",
    ):
        assert sentence in html
    assert html.count('<svg xmlns="http://www.w3.org/2000/svg" class="plot"') == 2
    assert html.count('<path class="model"') == 4  # two curves and their keys
    assert "abababababab" in html


def test_a_result_without_fund_charges_or_intervals(client: Client, asha: User) -> None:
    backtest = store_completed(asha, broker=None, impact=False)
    content = content_json(backtest.parameters)
    content["yardsticks"]["niftybees"] = content["figures"]["excess_niftybees_pct"] = None
    content["figures"] |= dict.fromkeys(("sharpe", "annual_return_pct", "capacity_rupees"))
    content["figures"]["annual_return_interval_pct"] = {"mean": 1.0, "low_90": None, "high_90": None}
    content |= {"untraded": [], "events_not_booked": [], "trades": [], "holdings": []}
    Backtest.objects.update(content=content)
    html = html_of(client, f"/backtests/{backtest.pk}/")
    assert "NIFTYBEES has no bars over this span" in html
    assert "None were taken." in html


def test_trades_as_csv(client: Client, asha: User) -> None:
    backtest = store_completed(asha)
    response = client.get(f"/backtests/{backtest.pk}/trades.csv")
    assert f'filename="backtest_{backtest.pk}_balanced_trades.csv"' in response["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(response.content.decode())))
    assert rows == [{name: str(value) for name, value in trade.items()} for trade in content_json()["trades"]]


def test_two_side_by_side(client: Client, asha: User) -> None:
    first, second = store_completed(asha), store_completed(asha, every=5, broker="fyers")
    html = html_of(client, f"/backtests/compare/?a={first.pk}&b={second.pk}")
    for text in ("Every", "<td>10</td><td>5</td>", "<td>zerodha</td><td>fyers</td>", "A: balanced", "B: balanced"):
        assert text in html
    for bad in ("", f"?a={first.pk}", f"?a={first.pk}&b=999999999999", "?a=x&b=y", f"?a={first.pk}&b={'9' * 30}"):
        assert client.get(f"/backtests/compare/{bad}").status_code == 404


def test_one_cancels_and_repeats_only_ones_own(client: Client, asha: User) -> None:
    mine = writer.request_backtest(asha, parameters_json(), RECIPE)
    theirs = writer.request_backtest(get_user_model().objects.create_user("ravi"), parameters_json(every=3), RECIPE)
    for action in ("cancel", "again"):
        assert client.get(f"/backtests/{mine.pk}/{action}/").status_code == 405
        assert client.post(f"/backtests/{theirs.pk}/{action}/").status_code == 404
    client.post(f"/backtests/{mine.pk}/cancel/")
    assert Backtest.objects.get(pk=mine.pk).status == "cancelled"
    again = client.post(f"/backtests/{mine.pk}/again/")["Location"]
    assert Backtest.objects.get(pk=int(again.split("/")[2])).parameters == mine.parameters
    assert Backtest.objects.get(pk=theirs.pk).status == "waiting"


def test_who_sees_what(client: Client, asha: User) -> None:
    ravi = get_user_model().objects.create_user("ravi")
    theirs, record = store_completed(ravi, every=3), store_completed(ravi)
    pages = [f"/backtests/{theirs.pk}/{end}" for end in ("", "state/", "trades.csv")]
    assert [client.get(page).status_code for page in pages] == [404, 404, 404]
    assert client.get(f"/backtests/{record.pk}/").status_code == 200  # by the default terms: a list's record
    assert str(theirs.pk) not in re.findall(r"/backtests/(\d+)/", html_of(client, "/backtests/"))
    asha.user_permissions.add(Permission.objects.get(codename="view_backtest"))
    assert client.get(pages[0]).status_code == 404
    User.objects.filter(pk=asha.pk).update(is_staff=True)
    assert client.get(pages[0]).status_code == 200
    anonymous = Client()
    assert "/login/" in anonymous.get(pages[0])["Location"]
    assert anonymous.get(pages[1]).status_code == 401


def test_a_lists_record_is_on_the_page_of_the_strategies(client: Client, asha: User) -> None:
    html = client.get("/strategies/").content.decode()
    assert "No backtest with the default terms over all its sessions is stored." in html
    assert "so it cannot be tried on the past" in html
    store_completed(asha, every=3)
    store_completed(asha, first=DAYS[40].isoformat())
    assert queries.records() == {}
    record = store_completed(asha, first=DAYS[10].isoformat())
    assert queries.records()["balanced"].backtest.pk == record.pk
    html = client.get("/strategies/").content.decode()
    assert f'href="/backtests/{record.pk}/"' in html
    assert "+33.20 %" in html
    ChampionChange.objects.create(
        session=DAYS[-1], kind="promoted", recipe="ba9876543210", estimator="e", reason="Better."
    )
    assert queries.records() == {}


# --- the API --------------------------------------------------------------------------------------------------------
def test_the_api_starts_once_and_reads(client: Client, asha: User) -> None:
    caller = Client(headers={"Authorization": f"Token {token_key(asha)}"})
    sent = {"strategy": "balanced", "capital": 1000000}
    answers = [
        caller.post("/api/backtests/", body, "application/json")
        for body in (sent, sent | {"capital": "1000000.00", "keep": 40})
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    first, second = (answer.json()["backtest"] for answer in answers)
    assert first == second
    assert first["parameters"] == parameters_json(first=DAYS[10].isoformat())
    [listed] = caller.get("/api/backtests/").json()["backtests"]
    assert listed == first
    detail = caller.get(f"/api/backtests/{first['id']}/").json()["backtest"]
    assert detail == first | {"content": None}
    done = store_completed(asha, every=3)
    assert caller.get(f"/api/backtests/{done.pk}/").json()["backtest"]["content"] == done.content


@pytest.mark.parametrize(
    ("sent", "status", "sentence"),
    [
        ({"strategy": "lottery"}, 400, "strategy: Select a valid choice"),
        ({"strategy": "balanced", "keep": 5}, 400, "keep: Give 20 or more"),
        ({"strategy": "balanced", "first": 5}, 400, "first: Write it as 2024-07-31."),
        ({"strategy": "balanced", "stop": 5}, 400, "stop: It is no parameter"),
        ({"strategy": "balanced", "capital": "1e999999"}, 400, "capital: "),
        ([1], 400, "Send an object"),
    ],
)
def test_the_api_says_what_it_refuses(client: Client, asha: User, sent: Any, status: int, sentence: str) -> None:
    answer = client.post("/api/backtests/", sent, "application/json")
    assert answer.status_code == status
    assert answer.json()["success"] is False
    assert sentence in answer.json()["error"]["message"]
    assert not Backtest.objects.exists()


def test_the_api_is_for_people_and_each_sees_ones_own(client: Client, asha: User) -> None:
    theirs = store_completed(get_user_model().objects.create_user("ravi"), every=3)
    assert client.get(f"/api/backtests/{theirs.pk}/").status_code == 404
    assert client.get("/api/backtests/").json()["backtests"] == []
    anonymous = Client()
    assert anonymous.get("/api/backtests/").status_code == 401
    assert anonymous.post("/api/backtests/", {"strategy": "balanced"}).status_code == 401


def test_the_api_limits_starts_but_not_reading(
    client: Client, asha: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.BACKTESTS_WAITING = 1
    client.post("/api/backtests/", {"strategy": "balanced"}, "application/json")
    refused = client.post("/api/backtests/", {"strategy": "balanced", "every": 3}, "application/json")
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_requests")
    monkeypatch.setattr("portfolio.api.StartThrottle.rate", "3/hour")
    answers = [client.post("/api/backtests/", {"strategy": "balanced"}, "application/json") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert client.get("/api/backtests/").status_code == 200


def test_staff_compute_again_in_the_admin(client: Client, asha: User) -> None:
    User.objects.filter(pk=asha.pk).update(is_staff=True)
    backtest = store_completed(get_user_model().objects.create_user("ravi"))
    address, chosen = "/admin/portfolio/backtest/", {"action": "compute_again", "_selected_action": backtest.pk}
    assert client.post(address, chosen).status_code == 403
    asha.user_permissions.add(Permission.objects.get(codename="view_backtest"))
    html = client.get(address).content.decode()
    for text in ("ravi", RECIPE, "abababababab", f'href="/backtests/{backtest.pk}/"'):
        assert text in html
    assert client.post(address, chosen).status_code == 302
    again = Backtest.objects.exclude(pk=backtest.pk).get()
    assert (again.owner, again.parameters, again.status) == (backtest.owner, backtest.parameters, "waiting")
    detail = client.get(f"{address}{backtest.pk}/change/").content.decode()
    assert "ab" * 32 in detail
    assert "equal_weight" not in detail  # the content is on its page
    assert client.post(f"{address}{backtest.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_strategy_is_tried_in_the_admin_by_its_own_terms(client: Client, asha: User) -> None:
    User.objects.filter(pk=asha.pk).update(is_staff=True)
    asha.user_permissions.add(Permission.objects.get(codename="view_strategy"))
    own = {"owner": asha, "kind": "balanced"}
    mine = Strategy.objects.create(name="Mine", capital="200000.5", parameters={"every": 5, "keep": 60}, **own)
    other = Strategy.objects.create(name="Other", parameters={"thresholds": {"max_pe": 10}}, **own)
    chosen = {"action": "backtest", "_selected_action": [mine.pk, other.pk]}
    html = client.post("/admin/portfolio/strategy/", chosen, follow=True).content.decode()
    started = Backtest.objects.get()
    assert (started.owner, started.strategy, started.status) == (asha, "balanced", "waiting")
    terms = {name: started.parameters[name] for name in ("capital", "holdings", "keep", "every", "broker")}
    assert terms == {"capital": "200000.50", "holdings": 20, "keep": 60, "every": 5, "broker": "zerodha"}
    assert f'href="/backtests/{started.pk}/"' in html
    assert "Other has thresholds of its own" in html
