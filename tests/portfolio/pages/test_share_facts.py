"""A share's page: its place in the latest lists or why it has none, its range of a year, its quarters."""

from datetime import date
from typing import Any

import pytest
from django.core.cache import cache

from market_data.models import TechnicalIndicator
from portfolio.pages.share_facts import list_standings, quarters, year_range
from portfolio.pages.stock_queries import bars_with_indicators
from stocks.models import FinancialStatement, Stock, StockMetrics
from tests.portfolio.market import sessions, store_share
from tests.published import SESSION, pick, publish

pytestmark = pytest.mark.django_db
DAYS = sessions(3)
GOOD: dict[str, Any] = {
    "current_price": 100.0,
    "market_cap": 900.0,
    "volume": 500_000,
    "pe_ratio": 18.0,
    "roe": 15.0,
    "debt_to_equity": 0.4,
    "earnings_growth": 12.0,
    "revenue_growth": 9.0,
}


@pytest.fixture(autouse=True)
def _empty_cache():
    cache.clear()


def store_figures(symbol: str, **figures: Any) -> None:
    store_share(symbol, {SESSION: 100.0})
    known = {"tradable": True, **GOOD, **figures}
    StockMetrics.objects.create(symbol_id=symbol, date=SESSION, **known)
    TechnicalIndicator.objects.create(symbol_id=symbol, date=SESSION, rsi_14=55.0, macd=1.0)


def reasons(symbol: str, *, is_kept_out: bool = False) -> dict[str, str]:
    standings = list_standings(symbol, is_kept_out=is_kept_out)
    return {standing.publication.strategy: standing.reason for standing in standings}


def test_a_pick_is_shown_with_its_rating_expected_return_cost_and_reason(client):
    store_share("AAA", {SESSION: 2450.5})
    publish("balanced", [pick("AAA", recommendation="STRONG_BUY")])
    html = client.get("/stocks/AAA/").content.decode()
    part = html[html.index("In the latest lists") : html.index('id="chart"')]
    for text in ("Strong buy", "+8.15 %", "0.45 %", "₹2,650.00", "₹2,300.00", "Strong score, low risk."):
        assert text in part


@pytest.mark.parametrize(
    ("figures", "reason"),
    [
        ({"roe": 3.2, "volume": 20}, "Volume 20 is below 100000, return on equity 3.2 is below 12."),
        ({"revenue_growth": None}, "No revenue growth."),
        ({"tradable": False, "exclusion": "price band hit"}, "Not tradable: price band hit."),
        ({}, "Its figures meet the thresholds. By the model's score it was not among the picks."),
    ],
)
def test_a_share_that_is_not_picked_says_why(figures, reason):
    store_figures("AAA", **figures)
    publish("growth", [pick("BBB")])
    assert reasons("AAA") == {"growth": reason}


def test_the_figures_of_a_session_are_read_once_for_all_lists(django_assert_num_queries):
    store_figures("AAA", roe=3.2)
    publish("growth", [pick("BBB")])
    reasons("AAA")
    with django_assert_num_queries(3):  # the lists, metrics, indicators
        reasons("AAA")
    for strategy in ("value", "balanced", "momentum"):
        publish(strategy, [pick("BBB")])
    reasons("AAA")
    with django_assert_num_queries(3):
        assert len(reasons("AAA")) == 4


def test_of_a_share_that_findings_keep_out_nothing_else_is_said():
    store_figures("AAA")
    publish("growth", [pick("BBB")])
    assert reasons("AAA", is_kept_out=True) == {"growth": "It is kept out of the picks."}


def test_of_a_list_without_thresholds_only_the_model_is_named():
    store_figures("AAA")
    publish("model", [pick("BBB")])
    assert reasons("AAA") == {"model": "By the model's score it was not among the picks."}


def test_a_share_that_did_not_trade_and_a_list_that_abstained_say_so():
    store_share("AAA", {DAYS[0]: 100.0})
    publish("growth", [pick("BBB")])
    publish("value", [], abstention="no_skill")
    assert reasons("AAA") == {
        "growth": "It did not trade on that day.",
        "value": "The system published no picks of this strategy.",
    }


def test_the_range_of_a_year_is_adjusted_and_places_the_close():
    store_share("AAA", {DAYS[0]: 100.0, DAYS[1]: 300.0, DAYS[2]: 200.0}, factor=0.5)
    span = year_range(bars_with_indicators("AAA", DAYS[0], DAYS[2]))
    assert span is not None
    assert (span.low, span.high) == pytest.approx((49.5, 151.5))
    assert span.at == pytest.approx((100 - 49.5) / (151.5 - 49.5))
    assert span.below_high_pct == pytest.approx((1 - 100 / 151.5) * 100)
    assert year_range(bars_with_indicators("AAA", DAYS[0], DAYS[2]).iloc[:0]) is None


def test_quarters_are_those_known_on_the_day_under_any_symbol(client):
    store_share("NEW", {SESSION: 100.0})
    for symbol, end, known, kind in (
        ("OLD", date(2025, 9, 30), date(2025, 11, 1), "quarter"),
        ("NEW", date(2025, 12, 31), date(2026, 2, 1), "quarter"),
        ("NEW", date(2026, 3, 31), date(2026, 5, 20), "quarter"),  # not yet
        ("NEW", date(2025, 3, 31), date(2025, 5, 1), "year"),
    ):
        FinancialStatement.objects.create(
            symbol=symbol, period_end=end, kind=kind, published_on=known, revenue=1234.5, source="t"
        )
    known_ends = [row.period_end for row in quarters(["NEW", "OLD"], SESSION)]
    assert known_ends == [date(2025, 12, 31), date(2025, 9, 30)]
    Stock.objects.filter(symbol="NEW").update(last_seen=SESSION)
    html = client.get("/stocks/NEW/").content.decode()
    assert "Results by quarter" in html
    assert "1,234.50" in html
    assert "31 Mar 2026" not in html
