"""Past lists and what became of them, from stored bars."""

import pytest

from portfolio.pages.history_queries import followed_list, past_lists, publication_dates
from stocks.models import SymbolChange
from tests.plans import scanned
from tests.portfolio.market import sessions, store_sessions, store_share
from tests.published import pick, publish, supersede

pytestmark = pytest.mark.django_db
DAYS = sessions(14)


def rising(symbol="AAA", start=100.0, by=1.0):
    store_share(symbol, {day: start + by * place for place, day in enumerate(DAYS)})


def test_a_list_is_followed_from_the_next_open():
    store_sessions(DAYS)
    rising()
    rising("BBB", by=-1.0)
    publish("balanced", [pick("AAA"), pick("BBB"), pick("GONE")], session=DAYS[0])
    (found,) = past_lists([DAYS[0]])
    after = found.averages[2]
    expected = ((110.0 / 101.0 - 1) + (90.0 / 99.0 - 1)) / 2 * 100
    assert (after.asked, after.known, after.winners) == (3, 2, 1)
    assert after.mean_pct == pytest.approx(expected)


def test_what_lies_ahead_is_not_known():
    store_sessions(DAYS)
    rising()
    publish("balanced", [pick("AAA")], session=DAYS[-1])
    publish("balanced", [pick("AAA")], session=DAYS[-3])
    newest, before = past_lists([DAYS[-1], DAYS[-3]])
    assert [one.mean_pct for one in newest.averages] == [None, None, None]
    assert before.averages[0].mean_pct == 0.0
    assert before.averages[1].mean_pct is None


def test_the_whole_list_is_compared_with_the_median_share():
    store_sessions(DAYS)
    rising()
    rising("BBB", by=2.0)
    rising("CCC", by=3.0)
    store_share("FUND", {day: 1.0 + place for place, day in enumerate(DAYS)}, kind="fund")
    followed = followed_list(publish("balanced", [pick("AAA", target_price=103.0, stop_loss=50.0)], session=DAYS[0]))
    assert followed.market_medians_pct[1] == pytest.approx((110.0 / 102.0 - 1) * 100)
    ((_, outcome),) = followed.rows
    assert outcome.first_reached == "target"
    assert followed.sessions_since == 10


def test_a_pick_is_followed_under_its_new_name():
    store_sessions(DAYS)
    rising("NEW")
    SymbolChange.objects.create(from_symbol="OLD", to_symbol="NEW", date=DAYS[2], proof="isin")
    followed = followed_list(publish("balanced", [pick("OLD")], session=DAYS[0]))
    ((listed, outcome),) = followed.rows
    assert (listed["symbol"], outcome.symbol) == ("OLD", "NEW")
    assert outcome.returns_pct[0] is not None
    assert past_lists([DAYS[0]])[0].averages[0].known == 1


def test_a_session_whose_bars_are_not_stored_moves_no_entry():
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


def test_the_pages_show_it_and_turn(client):
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


def test_a_page_asks_little_and_by_index(client, django_assert_max_num_queries):
    store_sessions(DAYS)
    rising()
    for day in DAYS[:10]:
        publish("balanced", [pick("AAA")], session=day)
    with django_assert_max_num_queries(12), scanned() as plans:
        client.get("/history/")
        client.get(f"/history/{DAYS[0]}/balanced/")
    assert plans.scans == []
