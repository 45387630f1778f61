"""A stock's page: one scale for prices and indicators, bounded ranges, renamed symbols."""

from datetime import date, timedelta

import pytest

from portfolio.pages import stock_queries
from portfolio.pages.fundamentals_table import groups
from portfolio.pages.stock_queries import (
    RangeRefused,
    as_columns,
    bars_with_indicators,
    checked_range,
    matching_stocks,
    profile,
)
from stocks.models import Stock, SymbolChange
from tests.plans import captured_plans
from tests.portfolio.market import sessions, store_indicators, store_share
from tests.published import SESSION, pick, publish

pytestmark = pytest.mark.django_db
DAYS = sessions(3)


def test_prices_and_indicators_are_on_one_scale():
    store_share("AAA", {DAYS[0]: 100.0, DAYS[1]: 110.0}, factor=0.5)
    store_indicators("AAA", DAYS[0], rsi_14=61.0, sma_20=90.0, macd=4.0, bollinger_upper=120.0)
    frame = bars_with_indicators("AAA", DAYS[0], DAYS[2])
    first = frame.iloc[0]
    assert (first["close"], first["high"], first["low"]) == pytest.approx((50.0, 50.5, 49.5))
    assert (first["sma_20"], first["macd"], first["bollinger_upper"]) == (45.0, 2.0, 60.0)
    assert first["rsi_14"] == 61.0
    assert first["volume"] == 2000


def test_unknown_values_are_null_in_json():
    store_share("AAA", {DAYS[0]: 100.0})
    columns = as_columns(bars_with_indicators("AAA", DAYS[0], DAYS[0]))
    assert columns["time"] == [DAYS[0].isoformat()]
    assert columns["close"] == [100.0]
    assert columns["sma_20"] == [None]
    assert as_columns(bars_with_indicators("AAA", DAYS[1], DAYS[2]))["time"] == []


def test_only_the_stocks_own_bars_in_the_range_are_read():
    store_share("AAA", dict.fromkeys(DAYS, 100.0))
    store_share("BBB", dict.fromkeys(DAYS, 200.0))
    assert as_columns(bars_with_indicators("AAA", DAYS[1], DAYS[1]))["close"] == [100.0]


@pytest.mark.parametrize(
    ("start", "end", "sentence"),
    [
        ("yesterday", "", "from='yesterday' is not a date"),
        ("", "2026-02-30", "to='2026-02-30' is not a date"),
        ("2026-04-01", "2026-03-01", "swap them"),
        ("2016-01-01", "2026-01-01", "more than 5 years"),
    ],
)
def test_bad_ranges_are_refused(start, end, sentence):
    with pytest.raises(RangeRefused, match=sentence):
        checked_range(start, end, SESSION)


def test_a_range_ends_with_the_latest_bar_and_starts_a_year_before():
    assert checked_range("", "", SESSION) == (SESSION - timedelta(days=366), SESSION)
    assert checked_range("2021-04-30", "2026-04-30", SESSION)[0] == date(2021, 4, 30)


def test_the_endpoint_refuses_with_a_sentence(client):
    store_share("AAA", dict.fromkeys(DAYS, 100.0))
    refused = client.get("/stocks/AAA/bars.json?from=1990-01-01")
    assert refused.status_code == 400
    assert "5 years" in refused.json()["error"]["message"]
    assert client.get("/stocks/NONE/bars.json").status_code == 404


def test_the_endpoint_answers_bars_and_picks_of_any_name(client):
    store_share("NEW", dict.fromkeys(DAYS, 100.0))
    SymbolChange.objects.create(from_symbol="OLD", to_symbol="NEW", date=DAYS[2], proof="isin")
    publish("balanced", [pick("OLD")], session=DAYS[1])
    publish("growth", [pick("OTHER")], session=DAYS[1])
    body = client.get("/stocks/NEW/bars.json").json()
    assert client.get("/stocks/OLD/bars.json").json() == body
    assert body["symbol"] == "NEW"
    assert body["bars"]["time"] == [day.isoformat() for day in DAYS]
    assert [(row["date"], row["strategy"]) for row in body["picks"]] == [(DAYS[1].isoformat(), "balanced")]


def test_old_and_lower_case_symbols_redirect_to_the_current_one(client):
    store_share("M&M", dict.fromkeys(DAYS, 100.0))
    SymbolChange.objects.create(from_symbol="OLD", to_symbol="M&M", date=DAYS[2], proof="isin")
    for address in ("/stocks/OLD/", "/stocks/old/", "/stocks/m&m/", "/stocks/?q=old", "/stocks/?q=m%26m"):
        assert client.get(address)["Location"] == "/stocks/M&M/", address
    assert "OLD until" in client.get("/stocks/M&M/").content.decode()


def test_an_unknown_symbol_is_a_sentence(client):
    response = client.get("/stocks/NOSUCH/")
    assert response.status_code == 404
    assert "There is no stock &#x27;NOSUCH&#x27;" in response.content.decode()


def test_a_stock_without_recent_bars_says_so_instead_of_an_empty_chart(client):
    Stock.objects.create(symbol="AAA", last_seen=SESSION)
    html = client.get("/stocks/AAA/").content.decode()
    assert "No bars of AAA in the last year" in html
    assert "pane-price" not in html


def test_each_figure_has_its_source_and_day(client):
    origin = {"pe_ratio": {"source": "statements", "as_of": "2026-04-02", "how": "computed"}}
    store_share("AAA", dict.fromkeys(DAYS, 100.0), pe_ratio=21.5, roe=12.0, provenance=origin)
    figures = {figure.name: figure for _, group in groups(Stock.objects.get()) for figure in group}
    assert (figures["P/E"].source, figures["P/E"].as_of) == ("financial statements", date(2026, 4, 2))
    assert figures["Return on equity"].source is None
    html = client.get("/stocks/AAA/").content.decode()
    assert "financial statements, 2 Apr 2026" in html
    assert "source not recorded" in html
    assert "not known" in html


def test_stocks_are_found_by_symbol_name_and_sector():
    store_share("BANKA", {SESSION: 1.0}, market_cap=1.0, sector="Banks")
    store_share("ZED", {SESSION: 1.0}, stock_name="Bankers of Zed", market_cap=9.0, sector="Banks")
    store_share("OIL", {SESSION: 1.0}, sector="Oil")
    assert [stock.symbol for stock in matching_stocks("bank", "")] == ["BANKA", "ZED"]
    assert [stock.symbol for stock in matching_stocks("", "Banks")] == ["ZED", "BANKA"]
    assert matching_stocks("%", "") == []


def test_a_page_needs_few_queries_and_uses_indexes(client, django_assert_max_num_queries):
    store_share("AAA", dict.fromkeys(sessions(200), 100.0))
    publish("balanced", [pick("AAA")])
    with captured_plans() as plans:
        client.get("/stocks/AAA/")  # the first page after a commit finds out who is kept out, for all pages
        with django_assert_max_num_queries(12):  # three ask whether that answer still holds
            assert client.get("/stocks/AAA/").status_code == 200
            assert client.get("/stocks/AAA/bars.json").status_code == 200
    assert plans.statements > 4
    assert plans.scans == []


def test_a_profile_follows_chains_of_names():
    store_share("THIRD", {SESSION: 1.0})
    SymbolChange.objects.create(from_symbol="FIRST", to_symbol="SECOND", date=DAYS[0], proof="isin")
    SymbolChange.objects.create(from_symbol="SECOND", to_symbol="THIRD", date=DAYS[1], proof="isin")
    third = profile("THIRD")
    assert third is not None
    assert third.symbols == ["THIRD", "SECOND", "FIRST"]
    assert stock_queries.current_symbol("FIRST") == "THIRD"
