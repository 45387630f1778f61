"""Past lists with what came of their picks, as the scoreboard has it."""

import pytest

from portfolio.pages.history_queries import list_outcomes, past_lists, publication_dates
from stocks.models import SymbolChange
from tests.ml.scoreboard.test_queries import store
from tests.plans import captured_plans
from tests.portfolio.market import sessions, store_sessions
from tests.published import pick, publish, supersede

pytestmark = pytest.mark.django_db
DAYS = sessions(14)


def test_a_lists_figures_are_those_of_its_judged_picks():
    publish("growth", [pick("AAA"), pick("BBB"), pick("CCC")], session=DAYS[0])
    publish("growth", [pick("AAA")], session=DAYS[1])
    store(DAYS[0], "AAA", 1.0)
    store(DAYS[0], "BBB", 2.0)
    store(DAYS[0], "BBB", 4.0, version=2)
    newest, before = past_lists([DAYS[0], DAYS[1]])
    assert newest.figures is None
    assert before.figures is not None
    assert (before.figures.outcomes, before.figures.mean_net_excess_pct) == (2, 2.5)
    assert past_lists([DAYS[0]], "value") == past_lists([]) == []


def test_a_past_list_shows_each_pick_with_its_newest_outcome_or_as_waiting(client):
    store_sessions(DAYS[:4])
    publish("growth", [pick("AAA"), pick("BBB"), pick("CCC")], session=DAYS[0])
    store(DAYS[0], "BBB", 2.0)
    store(DAYS[0], "BBB", 4.0, version=2)
    store(DAYS[0], "CCC", None, result="unmeasured")
    publication = past_lists([DAYS[0]])[0].publication
    results = list_outcomes(publication)
    outcomes = {pick["symbol"]: outcome and outcome["net_excess_pct"] for pick, _, outcome in results.rows}
    assert outcomes == {"AAA": None, "BBB": 4.0, "CCC": None}
    assert (results.waiting, results.sessions_since, results.exit_after) == (1, 3, 11)
    page = client.get(f"/history/{DAYS[0]}/growth/").content.decode()
    for words in ("+4.00 %", "waiting", "not measured", "3 of the 11 sessions"):
        assert words in page
    history = client.get("/history/").content.decode()
    assert "+4.00 %" in history
    assert "None of these lists has been judged yet" not in history


def test_while_nothing_is_judged_the_history_leads_to_what_lists_would_have_earned(client):
    publish("growth", [pick("AAA")], session=DAYS[0])
    html = client.get("/history/").content.decode()
    note = html[html.index("None of these lists has been judged yet") :]
    assert 'href="/models/"' in note
    assert 'href="/strategies/"' in note


def test_a_pick_links_to_its_new_name():
    SymbolChange.objects.create(from_symbol="OLD", to_symbol="NEW", date=DAYS[2], proof="isin")
    store(DAYS[0], "OLD", 1.0)
    ((published, symbol, outcome),) = list_outcomes(publish("growth", [pick("OLD")], session=DAYS[0])).rows
    assert outcome is not None
    assert (published["symbol"], symbol, outcome["symbol"]) == ("OLD", "NEW", "OLD")


def test_only_lists_in_force_count():
    supersede(publish("balanced", [pick("AAA")], session=DAYS[0]))
    assert publication_dates() == []
    publish("balanced", [pick("AAA")], session=DAYS[0], version=2)
    publish("growth", [pick("AAA")], session=DAYS[1])
    assert publication_dates() == [DAYS[1], DAYS[0]]
    assert publication_dates("growth") == [DAYS[1]]


def test_the_history_is_shown_in_pages(client):
    store_sessions(DAYS)
    for day in DAYS:
        publish("balanced", [pick("AAA")], session=day)
    html = client.get("/history/?strategy=balanced").content.decode()
    assert "Page 1 of 2" in html
    assert html.count('<th scope="row">') == 10
    assert client.get("/history/?page=2").content.decode().count('<th scope="row">') == 4
    assert client.get("/history/?page=no").status_code == 200


def test_a_page_needs_few_queries_and_uses_indexes(client, django_assert_max_num_queries):
    store_sessions(DAYS)
    for day in DAYS[:10]:
        publish("balanced", [pick("AAA")], session=day)
        store(day, "AAA", 1.0, strategy="balanced")
    with captured_plans() as plans, django_assert_max_num_queries(12):
        client.get("/history/")
        client.get(f"/history/{DAYS[0]}/balanced/")
    assert plans.scans == []
