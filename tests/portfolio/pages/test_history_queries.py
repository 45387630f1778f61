"""Past lists and their outcomes, from stored bars."""

import pytest

from portfolio.pages.history_queries import list_outcomes, past_lists, publication_dates
from stocks.models import SymbolChange
from tests.plans import captured_plans
from tests.portfolio.market import sessions, store_sessions, store_share
from tests.published import pick, publish, supersede

pytestmark = pytest.mark.django_db
DAYS = sessions(14)


def rising(symbol="AAA", start=100.0, by=1.0):
    store_share(symbol, {day: start + by * place for place, day in enumerate(DAYS)})


def test_returns_start_at_the_next_open():
    store_sessions(DAYS)
    rising()
    rising("BBB", by=-1.0)
    publish("balanced", [pick("AAA"), pick("BBB"), pick("GONE")], session=DAYS[0])
    (past_list,) = past_lists([DAYS[0]])
    after_ten = past_list.averages[2]
    expected = ((110.0 / 101.0 - 1) + (90.0 / 99.0 - 1)) / 2 * 100
    assert (after_ten.picks, after_ten.measured, after_ten.winners) == (3, 2, 1)
    assert after_ten.mean_pct == pytest.approx(expected)


def test_future_returns_are_unknown():
    store_sessions(DAYS)
    rising()
    publish("balanced", [pick("AAA")], session=DAYS[-1])
    publish("balanced", [pick("AAA")], session=DAYS[-3])
    newest, before = past_lists([DAYS[-1], DAYS[-3]])
    assert [average.mean_pct for average in newest.averages] == [None, None, None]
    assert before.averages[0].mean_pct == 0.0
    assert before.averages[1].mean_pct is None


def test_a_list_is_compared_with_the_median_share():
    store_sessions(DAYS)
    rising()
    rising("BBB", by=2.0)
    rising("CCC", by=3.0)
    store_share("FUND", {day: 1.0 + place for place, day in enumerate(DAYS)}, kind="fund")
    results = list_outcomes(publish("balanced", [pick("AAA", target_price=103.0, stop_loss=50.0)], session=DAYS[0]))
    assert results.market_medians_pct[1] == pytest.approx((110.0 / 102.0 - 1) * 100)
    ((_, outcome),) = results.rows
    assert outcome.first_reached == "target"
    assert results.sessions_since == 10


def test_a_pick_is_followed_under_its_new_name():
    store_sessions(DAYS)
    rising("NEW")
    SymbolChange.objects.create(from_symbol="OLD", to_symbol="NEW", date=DAYS[2], proof="isin")
    ((published, outcome),) = list_outcomes(publish("balanced", [pick("OLD")], session=DAYS[0])).rows
    assert (published["symbol"], outcome.symbol) == ("OLD", "NEW")
    assert outcome.returns_pct[0] is not None
    assert past_lists([DAYS[0]])[0].averages[0].measured == 1


def test_a_session_without_stored_bars_does_not_shift_the_entry():
    store_sessions(DAYS[1:])
    rising()
    publish("balanced", [pick("AAA")], session=DAYS[0])
    first = (101.0 / 101.0 - 1) * 100
    assert past_lists([DAYS[0]])[0].averages[0].mean_pct == pytest.approx(first)
    assert past_lists([DAYS[0]])[0].averages[2].mean_pct == pytest.approx((110.0 / 101.0 - 1) * 100)


def test_only_lists_in_force_count():
    supersede(publish("balanced", [pick("AAA")], session=DAYS[0]))
    assert publication_dates() == []
    publish("balanced", [pick("AAA")], session=DAYS[0], version=2)
    publish("growth", [pick("AAA")], session=DAYS[1])
    assert publication_dates() == [DAYS[1], DAYS[0]]
    assert publication_dates("growth") == [DAYS[1]]


def test_the_history_is_shown_in_pages(client):
    store_sessions(DAYS)
    rising()
    for day in DAYS:
        publish("balanced", [pick("AAA")], session=day)
    html = client.get("/history/?strategy=balanced").content.decode()
    assert "Page 1 of 2" in html
    assert html.count('<th scope="row">') == 10
    assert client.get("/history/?page=2").content.decode().count('<th scope="row">') == 4
    assert client.get("/history/?page=no").status_code == 200
    detail = client.get(f"/history/{DAYS[0]}/balanced/").content.decode()
    assert "+8.91 %" in detail
    assert "10 of 10 sessions since" in detail


def test_a_page_needs_few_queries_and_uses_indexes(client, django_assert_max_num_queries):
    store_sessions(DAYS)
    rising()
    for day in DAYS[:10]:
        publish("balanced", [pick("AAA")], session=day)
    with captured_plans() as plans, django_assert_max_num_queries(12):
        client.get("/history/")
        client.get(f"/history/{DAYS[0]}/balanced/")
    assert plans.scans == []
