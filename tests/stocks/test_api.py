"""The contract of `GET /api/suggested-stocks/` and of every error response."""

import json
from datetime import date, datetime
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.test import RequestFactory
from rest_framework.exceptions import Throttled
from rest_framework.views import APIView

from stocks import api
from stocks.models import Stock
from stocks.picks import screening
from tests.published import pick, publish
from tests.tokens import token_key

pytestmark = pytest.mark.django_db
URL = "/api/suggested-stocks/"


@pytest.fixture(autouse=True)
def _empty_cache():
    cache.clear()


def error_of(response, status):
    assert response.status_code == status, response.content
    body = response.json()
    assert body["success"] is False
    assert set(body["error"]) == {"code", "message"}
    return body["error"]


def test_picks_say_whether_they_are_new_and_the_list_what_left_it(client):
    earlier = publish("balanced", [pick("GONE"), pick("TCS")], session=date(2026, 4, 29))
    left = {
        "symbol": "GONE",
        "stock_name": "GONE Limited",
        "last_rank": 1,
        "last_place": 1,
        "listed_since": "2026-04-29",
        "place": None,
        "reason": "RSI 71.5 is above 70",
    }
    kept = pick("TCS", standing="kept", listed_since=earlier.date, place=120)
    body = client.get(URL).json()
    assert (body["compared_with"], body["departures"]) == (None, [])
    publish("balanced", [pick("AAA"), kept], previous=earlier, departures=[left])
    body = client.get(URL, {"sort_by": "rank", "order": "asc"}).json()
    assert (body["compared_with"], body["departures"]) == ("2026-04-29", [left])
    facts = [(stock["symbol"], stock["standing"], stock["listed_since"], stock["place"]) for stock in body["stocks"]]
    assert facts == [("AAA", "new", "2026-04-30", 1), ("TCS", "kept", "2026-04-29", 120)]


def test_every_key_of_the_contract_is_present(client):
    publish("balanced", [pick("RELIANCE", stock_name="Reliance Industries Limited")])
    body = client.get(URL).json()
    assert body["success"] is True
    assert body["count"] == 1
    assert body["strategy"] == "balanced"
    assert datetime.fromisoformat(body["generated_at"]).utcoffset() is not None
    assert body["generated_at"] == "2026-05-01T02:15:12+05:30"
    [stock] = body["stocks"]
    contract = {
        "symbol": "RELIANCE",
        "stock_name": "Reliance Industries Limited",
        "rank": 1,
        "current_price": 2450.5,
        "market_cap": 1658000.0,
        "sector": "Oil & Gas",
        "ml_prediction_score": 0.78,
        "ml_price_target": 2650.2,
        "ml_confidence": 0.85,
        "ml_risk_score": 0.12,
        "technical_indicators": {"rsi_14": 58.5, "macd": 12.3, "sma_50": 2400.0, "sma_200": 2300.0},
        "fundamentals": {
            "pe_ratio": 24.5,
            "pb_ratio": 2.8,
            "roe": 12.5,
            "eps": 100.5,
            "beta": 1.15,
            "revenue_growth": 8.5,
            "earnings_growth": 10.2,
            "operating_margin": 15.3,
        },
        "trading_signals": {"target_price": 2650.0, "stop_loss": 2300.0, "recommendation": "BUY"},
    }
    assert contract.items() <= stock.items()
    assert body["date"] == "2026-04-30"
    assert body["valid_for"] == "2026-05-04"


def test_excess_costs_and_chances_have_keys_of_their_own(client):
    publish("balanced", [pick("RELIANCE"), pick("OLD", expected_entry=None, excess_low=None, reward_to_risk=None)])
    stock, old = client.get(f"{URL}?sort_by=rank&order=asc").json()["stocks"]
    own = {
        "expected_entry": 2456.4,
        "expected_excess_pct": 8.15,
        "excess_low_pct": -4.1,
        "excess_high_pct": 19.6,
        "round_trip_cost_pct": 0.45,
        "target_probability": 0.5,
        "stop_probability": 0.2,
        "reward_to_risk": 1.24,
    }
    assert own.items() <= stock.items()
    assert stock["predicted_return"] == stock["expected_excess_pct"]
    assert (old["expected_entry"], old["excess_low_pct"], old["reward_to_risk"]) == (None, None, None)


def test_the_contracts_examples_succeed(client):
    publish("growth", [pick(f"S{n}") for n in range(20)])
    publish("balanced", [pick("RELIANCE"), pick("TCS", sector="Information Technology")])
    assert client.get(f"{URL}?strategy=growth&limit=10").json()["count"] == 10
    assert client.get(f"{URL}?strategy=balanced&sector=IT&limit=20").json()["stocks"][0]["symbol"] == "TCS"
    assert client.get(f"{URL}?search=RELIANCE").json()["stocks"][0]["symbol"] == "RELIANCE"
    assert client.get(f"{URL}?strategy=balanced&limit=10&sort_by=ml_prediction_score").json()["count"] == 2


def test_an_empty_database_answers_with_the_reason(client):
    response = client.get(URL)
    body = response.json()
    assert response.status_code == 200
    assert (body["success"], body["count"], body["stocks"], body["generated_at"]) == (True, 0, [], None)
    assert "no balanced picks" in body["reason"].lower()


def test_an_abstention_is_neither_an_error_nor_an_older_list(client):
    publish("balanced", [pick("OLD")], session=date(2026, 4, 29))
    publish("balanced", [], reason="The data failed a check: /data/a.csv is short.", abstention="data")
    body = client.get(URL).json()
    assert (body["count"], body["date"]) == (0, "2026-04-30")
    assert body["reason"] == "There are no balanced picks: the data of the session did not pass the quality checks."


@pytest.mark.parametrize(
    ("query", "symbols"),
    [
        ("sort_by=rank&order=asc", ["AAA", "BBB", "CCC"]),
        ("sort_by=selection_score", ["BBB", "AAA", "CCC"]),
        ("sort_by=predicted_return&order=asc", ["CCC", "AAA", "BBB"]),
    ],
)
def test_the_published_order_and_our_own_figures_sort_too(client, query, symbols):
    own = (("AAA", 0.7, 2.0), ("BBB", 0.8, 3.0), ("CCC", 0.6, 1.0))
    publish(
        "balanced",
        [pick(symbol, selection_score=score, predicted_return=expected) for symbol, score, expected in own],
    )
    assert [stock["symbol"] for stock in client.get(f"{URL}?{query}").json()["stocks"]] == symbols


def test_a_date_without_a_list_has_no_picks(client):
    publish("balanced", [pick("OLD")])
    body = client.get(f"{URL}?date=2026-05-04").json()
    assert (body["count"], body["date"]) == (0, None)
    assert "2026-05-04" in body["reason"]


def test_a_list_older_than_the_market_has_a_notice(client):
    publish("balanced", [pick("OLD")])
    assert client.get(URL).json()["notice"] is None
    Stock.objects.create(symbol="OLD", last_seen=date(2026, 5, 4))
    assert client.get(URL).json()["notice"] == (
        "The picks of Monday 4 May 2026 are not published yet. Until then the latest are those of"
        " Thursday 30 April 2026."
    )
    assert client.get(f"{URL}?date=2026-04-30").json()["notice"] is None


@pytest.mark.parametrize(
    ("parameters", "allowed"),
    [
        ("strategy=lottery", "growth, value, balanced, momentum, model"),
        ("strategy=growths", "growth, value, balanced, momentum, model"),
        ("limit=0", "1 to 100"),
        ("limit=101", "1 to 100"),
        ("limit=-5", "1 to 100"),
        ("limit=ten", "1 to 100"),
        ("limit=1e3", "1 to 100"),
        ("limit=" + "9" * 5000, "1 to 100"),
        ("sort_by=symbol", "ml_prediction_score, market_cap, pe_ratio"),
        ("sort_by=__class__", "ml_prediction_score, market_cap, pe_ratio"),
        ("order=up", "asc, desc"),
        ("date=30-04-2026", "2026-04-30"),
        ("date=2026-02-30", "2026-04-30"),
        ("search=" + "x" * 101, "100"),
        ("sector=" + "x" * 101, "100"),
        ("search=a%00b", "Null"),
        ("search=" + "x" * 10_000, "100"),
        ("limit=5&limit=6", "limit: It is given more than once"),
        ("sector=IT&sector=Banks", "sector: It is given more than once"),
    ],
)
def test_an_invalid_parameter_is_rejected_with_the_allowed_values(client, parameters, allowed):
    error = error_of(client.get(f"{URL}?{parameters}"), 400)
    assert error["code"] == "bad_request"
    assert parameters.partition("=")[0] in error["message"]
    assert allowed in error["message"]


@pytest.mark.parametrize("address", [URL, "/", "/admin/"])
def test_a_nul_in_a_cookie_or_credentials_is_rejected(client, address):
    """PostgreSQL has no NUL in texts: as a session's key it would break the query."""
    for headers in ({"cookie": 'sessionid="aaaaaaaaaa\\000b"'}, {"authorization": "Token a\x00b"}):
        assert client.get(address, headers=headers).status_code == 400


def test_a_thousand_parameters_are_rejected(client):
    assert error_of(client.get(f"{URL}?" + "&".join(f"p{n}=1" for n in range(1100))), 400)


def test_empty_parameters_mean_their_defaults(client):
    publish("balanced", [pick("A")])
    assert client.get(f"{URL}?strategy=&limit=&sector=&search=&sort_by=&order=&date=").json()["count"] == 1


@pytest.mark.parametrize(
    "query", ["search=%F0%9F%92%A9", "search=%27;DROP TABLE", "sector=%25", "search=%C3%28", "foo=1"]
)
def test_odd_texts_are_harmless(client, query):
    publish("balanced", [pick("A")])
    assert client.get(f"{URL}?{query}").status_code == 200


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_only_read_methods_are_allowed(client, method):
    response = getattr(client, method)(URL)
    assert error_of(response, 405)["code"] == "method_not_allowed"
    assert "GET" in response["Allow"]


@pytest.mark.parametrize(
    "address", ["/api/", "/api/nothing/", "/api/suggested-stocks/7/", "/api/suggested-stocks/?format=xml"]
)
def test_an_unknown_address_is_404_in_the_same_form(client, address):
    assert error_of(client.get(address), 404)["code"] == "not_found"


def test_an_unsupported_media_type_is_406(client):
    assert error_of(client.get(URL, headers={"accept": "application/xml"}), 406)["code"] == "not_acceptable"


def test_in_production_reading_needs_a_login_or_a_token(client, settings):
    settings.READING_NEEDS_LOGIN = True
    publish("balanced", [pick("A")])
    unknown = client.get(URL)
    assert error_of(unknown, 401)["code"] == "not_authenticated"
    assert unknown["WWW-Authenticate"] == "Token"
    assert error_of(client.get(URL, headers={"authorization": "Token wrong"}), 401)
    user = get_user_model().objects.create_user("asha")
    key = token_key(user)
    assert client.get(URL, headers={"authorization": f"Token {key}"}).json()["count"] == 1
    client.force_login(user)
    response = client.get(URL)
    assert response.json()["count"] == 1
    assert set(response["Cache-Control"].split(", ")) == {"no-cache", "private"}
    assert client.get("/api/schema/").status_code == 200


@pytest.mark.parametrize("query", ["", "?format=nosuch"])
@pytest.mark.parametrize("address", [URL, "/api/schema/", "/api/docs/", "/"])
@pytest.mark.parametrize("production", [False, True])
def test_a_malformed_token_breaks_no_page(client, settings, address, query, production):
    settings.READING_NEEDS_LOGIN = production
    for header in ("Token a b", "Token \x00", "Basic !", "Token"):
        response = client.get(address + query, headers={"authorization": header, "accept": "text/html"})
        assert response.status_code < 500, header


@pytest.mark.parametrize("address", ["/api/schema/", "/api/docs/"])
def test_in_production_the_schema_needs_a_login_too(client, settings, address):
    settings.READING_NEEDS_LOGIN = True
    assert client.get(address).status_code in (401, 403)


def test_an_unchanged_list_returns_304_and_a_new_one_the_whole_body(client):
    first = publish("balanced", [pick("A")])
    response = client.get(URL)
    again = client.get(URL, headers={"if-none-match": response["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again["ETag"] == response["ETag"]
    assert client.get(f"{URL}?limit=5", headers={"if-none-match": response["ETag"]}).status_code == 304
    assert client.get(f"{URL}?search=zz", headers={"if-none-match": response["ETag"]}).status_code == 200
    first.picks_in_force.all().delete()
    first.superseded_at = first.published_at
    first.save()
    publish("balanced", [pick("B")], version=2)
    changed = client.get(URL, headers={"if-none-match": response["ETag"]})
    assert changed.json()["stocks"][0]["symbol"] == "B"
    assert changed["Cache-Control"] == "no-cache"


def test_a_warm_request_makes_two_queries(client, django_assert_num_queries):
    publish("balanced", [pick(f"S{n}") for n in range(50)])
    client.get(URL)
    with django_assert_num_queries(2):
        client.get(f"{URL}?search=S4&limit=7")


def test_a_simulated_market_is_marked(client, settings):
    publish("balanced", [pick("A")])
    for kind in ("simulated", "real"):
        settings.PROVIDER_KIND = kind
        assert client.get(URL).json()["simulated"] is (kind == "simulated")


def test_a_browser_gets_an_html_page(client):
    publish("balanced", [pick("RELIANCE")])
    response = client.get(URL, headers={"accept": "text/html"})
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/html")
    assert b"RELIANCE" in response.content


@pytest.mark.parametrize("address", [URL, "/api/docs/"])
def test_no_page_of_the_api_loads_from_another_host(client, address):
    html = client.get(address, headers={"accept": "text/html"}).content.decode()
    for mark in ('src="http', "src='http", 'src="//', '<link rel="stylesheet" href="http', "cdn."):
        assert mark not in html


def test_the_schema_lists_the_parameters_and_keys(client):
    publish("balanced", [pick("A")])
    body = client.get(URL).json()
    schema = client.get("/api/schema/?format=json").json()
    operation = schema["paths"][URL]["get"]
    assert {parameter["name"] for parameter in operation["parameters"]} == {
        "strategy",
        "limit",
        "sector",
        "search",
        "sort_by",
        "order",
        "date",
    }
    parts = schema["components"]["schemas"]
    described = parts["SuggestedStocksAnswer"]["properties"]
    assert set(described) == set(body)
    stock = parts[described["stocks"]["items"]["$ref"].rpartition("/")[2]]["properties"]
    assert set(stock) == set(body["stocks"][0])
    limit = next(parameter for parameter in operation["parameters"] if parameter["name"] == "limit")["schema"]
    assert (limit["minimum"], limit["maximum"], limit["default"]) == (1, 100, 50)


@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [
        (Throttled(wait=30), 429, "too_many_requests"),
        (PermissionDenied(), 403, "permission_denied"),
        (RuntimeError("secret detail"), 500, "internal_error"),
    ],
)
def test_every_other_error_has_the_same_form(raised, status, code):
    class Broken(APIView):
        permission_classes = ()

        def get(self, request):
            raise raised

    response = Broken.as_view()(RequestFactory().get("/api/x/")).render()
    assert response.status_code == status
    body = json.loads(response.content)
    assert body["error"]["code"] == code
    assert "secret" not in body["error"]["message"]
    assert response.headers.get("Retry-After") == ("30" if status == 429 else None)


def test_a_foreign_host_is_rejected_in_the_same_form(client):
    assert error_of(client.get(URL, headers={"host": "evil.example"}), 400)


def test_an_error_outside_the_views_is_json_too(rf):
    from tradingsite.web.error_pages import server_error

    assert json.loads(server_error(rf.get(URL)).content)["error"]["code"] == "internal_error"
    assert server_error(rf.get("/")).status_code == 500


def test_the_strategies_are_the_registrys():
    allowed: Any = api.SuggestedStocksQuery().fields["strategy"]
    assert list(allowed.choices) == list(screening.STRATEGIES)
