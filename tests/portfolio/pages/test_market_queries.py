"""The market of a session: adjusted prices, shares only, unknown values not counted."""

import pytest

from portfolio.pages.market_queries import extremes, horizons, latest_market, market_frame, movers
from tests.plans import captured_plans
from tests.portfolio.market import sessions, store_indicators, store_market, store_sessions, store_share

pytestmark = pytest.mark.django_db
DAYS = sessions(70)


def test_an_empty_database_has_no_market():
    assert latest_market() is None


def test_breadth_counts_shares_that_traded_on_both_days():
    store_market(DAYS)
    market = latest_market()
    assert market is not None
    assert market.session == DAYS[-1]
    assert (market.day.traded, market.day.advances, market.day.declines) == (2, 1, 1)
    assert set(market.frame["symbol"]) == {"AAA", "BBB", "CCC"}


def test_horizons_are_counted_in_sessions_and_empty_before_all_data():
    store_sessions(DAYS[-30:])
    assert [horizon.base for horizon in horizons(DAYS[-1])] == [DAYS[-2], DAYS[-6], DAYS[-22], None]


def test_returns_are_adjusted():
    store_sessions(DAYS[-2:])
    store_share("AAA", {DAYS[-2]: 100.0}, factor=0.5)
    from market_data.models import DailyBar

    DailyBar.objects.create(
        symbol_id="AAA", date=DAYS[-1], series="EQ", open=55, high=55, low=55, close=55, adj_close=55, source="t"
    )
    frame = market_frame(DAYS[-1], horizons(DAYS[-1]))
    assert frame.loc[0, "return_1d_pct"] == pytest.approx(10.0)
    assert frame["return_3m_pct"].isna().all()


def test_extremes_need_every_session_before():
    store_market(DAYS)
    store_indicators("AAA", DAYS[-1], sma_50=140.0, sma_200=200.0)
    counts = extremes(DAYS[-1])
    assert (counts.highs, counts.lows, counts.comparable) == (1, 1, 2)  # CCC missed a session
    assert (counts.above_sma_50, counts.sma_50_known, counts.above_sma_200, counts.sma_200_known) == (1, 1, 0, 1)
    assert counts.above_sma_50_share == 1.0


def test_movers_are_among_the_picks():
    store_market(DAYS)
    market = latest_market()
    assert market is not None
    sides = movers(market.frame, ["AAA", "CCC"], "return_1d_pct")
    assert [row["symbol"] for row in sides["up"]] == ["AAA"]
    assert sides["down"] == []


def test_no_big_table_is_scanned():
    store_market(DAYS)
    with captured_plans() as plans:
        latest_market()
    assert plans.statements > 3
    assert plans.scans == []
