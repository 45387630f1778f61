"""The pages: picks, dashboard, strategies, login, and the state of the runs."""

import re
from datetime import UTC, datetime

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.test import Client

from market_data.models import EveningHold, Finding, MarketDay
from stocks.models import Stock
from tests.portfolio.pages.test_closes import store
from tests.published import SESSION, pick, publish
from tests.runs import make_run

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 4, 30, 21, tzinfo=UTC)
PAGES = ("/", "/picks/", "/stocks/", "/sectors/", "/history/", "/scoreboard/", "/models/", "/strategies/", "/status/")


@pytest.fixture(autouse=True)
def _empty_cache():
    cache.clear()


def page(client, address="/picks/"):
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def test_a_pick_is_shown_with_its_figures_and_reason(client):
    store("RELIANCE", [(100.0, 100.0), (2450.5, 2450.5)])
    publish("balanced", [pick("RELIANCE", recommendation="STRONG_BUY", reason="Strong score; <b>low</b> risk.")])
    html = page(client)
    for text in ("RELIANCE Limited", "₹2,450.50", "₹2,650.00", "₹2,300.00", "0.78", "0.85", "0.12"):
        assert text in html
    # Distances from the expected entry, at which the trade begins.
    for text in ("₹2,456.40", "+7.9 % · 50 % likely", "in 5 of 10 cases", "−6.4 % · 20 % likely", "in 2 of 10 cases"):
        assert text in html
    assert "Strong buy" in html
    assert 'data-label="Expected return">+8.15 %<' in html
    assert 'data-label="Cost to beat">0.45 %<' in html
    assert "&lt;b&gt;low&lt;/b&gt;" in html
    assert "Picks for Monday 4 May 2026" in html
    assert "Thursday 30 April 2026" in html
    assert "1 May, 02:15 IST" in html
    assert html.count("<polyline") == 1


def rows(html):
    """Label → value of the tables that explain a pick."""
    cells = re.findall(r'<tr><th scope="row">([^<]*)</th><td class="number">([^<]*)</td></tr>', html)
    return dict(cells)


def test_excess_costs_and_reward_are_shown_as_stored(client):
    publish("balanced", [pick("AAA")])
    assert {
        "Expected return above the average share": "+8.15 %",
        "Return above the average in 8 of 10 cases": "−4.10 % to +19.60 %",
        "Costs of buying and selling it": "0.45 %",
        "Expected entry, next open": "₹2,456.40",
        "Price expected at the exit, if the market stands still": "₹2,650.20",
        "Target reached": "in 5 of 10 cases",
        "Stop undercut": "in 2 of 10 cases",
        "Reward to risk": "1.24",
    }.items() <= rows(page(client)).items()


def test_a_pick_of_before_costs_and_chances_were_stored_shows_dashes(client):
    unknown = dict.fromkeys(
        [
            *("expected_entry", "excess_low", "excess_high", "round_trip_cost_pct"),
            *("target_probability", "stop_probability", "reward_to_risk"),
        ]
    )
    publish("balanced", [pick("AAA", **unknown)])
    html = page(client)
    assert "None" not in html
    assert "+8.1 %" in html
    for label in ("Costs of buying and selling it", "Expected entry, next open", "Target reached", "Reward to risk"):
        assert rows(html)[label] == "–"
    assert "Return above the average in 8 of 10 cases" not in html


def test_each_strategy_has_its_own_tab_and_list(client):
    publish("balanced", [pick("AAA")])
    publish("growth", [pick("BBB"), pick("CCC")])
    html = page(client, "/picks/?strategy=growth")
    assert "BBB" in html
    assert "AAA" not in html
    assert re.search(r'href="\?strategy=growth" aria-current="page">Growth <span class="count">2<', html)
    assert client.get("/picks/?strategy=lottery").status_code == 404


def test_a_missing_figure_is_a_dash(client):
    publish("value", [pick("AAA", target_price=None, stop_loss=None, ml_confidence=None, sector=None, reason=None)])
    html = page(client, "/picks/?strategy=value")
    assert "–" in html
    assert "None" not in html


def test_an_abstention_shows_its_reason_and_no_older_list(client):
    publish("balanced", [pick("OLD")], session=SESSION.replace(day=29))
    publish("balanced", [], reason="Validation failed: 40 % of the bars are missing.", abstention="data")
    html = page(client)
    assert "There are no balanced picks: the data of the session did not pass the quality checks." in html
    assert "OLD" not in html


def test_an_outdated_list_is_marked(client):
    publish("balanced", [pick("AAA")])
    assert "Until then the latest" not in page(client)
    Stock.objects.create(symbol="AAA", last_seen=SESSION.replace(month=5, day=4))
    assert "Until then the latest are those of Thursday 30 April 2026." in page(client)


def test_an_empty_database_shows_how_to_start(client):
    html = page(client)
    assert "Nothing has been collected yet" in html
    assert "./run.sh manage run_all" in html


@pytest.fixture
def running():
    """A first evening at work; its session is the latest whose bars are there."""
    Stock.objects.create(symbol="ZZZ", last_seen=SESSION)
    return make_run()


def test_the_first_evening_is_shown_while_it_is_worked_on(client, running):
    html = page(client)
    assert "The first picks are on their way" in html
    assert "Prices and indicators" in html
    assert "Read 300 of 500 sessions" not in html, "a log line is for operators"
    assert 'value="0.42"' in html
    assert '<noscript><meta http-equiv="refresh" content="10"></noscript>' in html


def test_a_failed_first_evening_shows_no_reason(client):
    Stock.objects.create(symbol="ZZZ", last_seen=SESSION)
    make_run(status="failed", step_status="errored", done=1)
    html = page(client)
    assert "their preparation has stopped" in html
    assert "truncated" not in html


PLANTED = ("/secret/exports/a.csv", "ravi", "Traceback (most recent call last)")


@pytest.mark.parametrize("status", ["failed", "cancelled", "running", "waiting", "skipped", "rolled_back"])
@pytest.mark.parametrize("published", [False, True])
def test_no_page_for_readers_quotes_an_internal_text(client, status, published):
    planted = "; ".join(PLANTED)
    store("AAA", [(1.0, 1.0), (2.0, 2.0)])
    Stock.objects.update(kind="share", last_seen=SESSION)
    for job in ("pipeline", "validation", "selection", "csv_export", "import_csv", "check_csv"):
        run = make_run(f"{job}_1", job=job, status=status, reason=planted, triggered_by=planted, ended_at=NOW)
        run.steps.update(reason=planted, traceback=planted, log_lines=[planted], worker=planted[:90])
    EveningHold.objects.create(session=SESSION, held_by=planted, reason=planted)
    facts = {"run_id": "r", "session": SESSION, "severity": "error", "blocks": True, "message": planted}
    Finding.objects.create(check_name="unit_error", symbol="AAA", **facts)
    Finding.objects.create(check_name="bar_count", **facts)
    if published:
        publish("balanced", [pick("AAA")], reason=planted)
        publish("growth", [], reason=planted, abstention="data")
    addresses = [*PAGES, "/state/", "/picks/?strategy=growth", "/stocks/AAA/", "/api/suggested-stocks/"]
    addresses += ["/api/suggested-stocks/?strategy=growth", f"/status/kept-out/{SESSION}/"]
    for address in addresses + [f"/history/{SESSION}/{name}/" for name in ("balanced", "growth") if published]:
        html = page(client, address)
        for word in (*PLANTED, "pipeline_1", "csv_export", "CSV export", "Import of an uploaded"):
            assert word not in html, (address, word)


def test_staff_alone_are_led_to_the_console(client, running):
    assert "Open the console" not in page(client)
    client.force_login(get_user_model().objects.create_user("asha", is_staff=True))
    assert "Open the console" in page(client)
    assert "Open the console" in client.get("/state/").json()["html"]


def test_a_simulated_market_is_marked(client, settings):
    settings.PROVIDER_KIND = "simulated"
    assert "Simulated market." in page(client)
    settings.PROVIDER_KIND = "real"
    assert "Simulated market." not in page(client)


def test_an_error_page_of_a_simulated_market_says_so_too(client, settings):
    settings.PROVIDER_KIND = "simulated"
    assert "Simulated market." in client.get("/nothing/").content.decode()
    assert "Simulated market." in page(client, "/login/")


def test_the_state_is_json_with_its_part_of_the_page(client, running):
    body = client.get("/state/").json()
    assert (body["success"], body["active"], body["state"], body["session"]) == (True, True, "making", str(SESSION))
    assert body["stages"][0] == {
        "title": "Prices and indicators",
        "status": "running",
        "words": "Under way, 42% done.",
        "progress": 0.4167,
    }
    assert body["sentence"] in body["html"]
    assert body["again_in_seconds"] < 5
    publish("balanced", [pick("AAA")])
    response = client.get("/state/")
    assert response.json()["state"] == "ready"
    assert response.json()["published"]
    assert response["Cache-Control"] == "no-store"


def test_a_new_publication_changes_the_state(client):
    first = publish("balanced", [pick("AAA")])
    before = client.get("/state/").json()["published"]
    first.picks_in_force.all().delete()
    first.superseded_at = first.published_at
    first.save()
    publish("balanced", [pick("BBB")], version=2)
    assert client.get("/state/").json()["published"] != before


def test_reading_needs_a_login_in_production(client, settings):
    settings.READING_NEEDS_LOGIN = True
    for address in PAGES:
        assert client.get(address)["Location"].startswith("/login/?next=/")
    for address in ("/state/", "/stocks/AAA/bars.json"):
        assert client.get(address).status_code == 401
        assert client.get(address).json()["error"]["code"] == "not_authenticated"
    client.force_login(get_user_model().objects.create_user("asha"))
    for address in (*PAGES, "/state/"):
        assert client.get(address).status_code == 200


@pytest.mark.parametrize("address", [*PAGES, "/state/", "/stocks/AAA/bars.json"])
def test_pages_refuse_to_be_posted_to(client, address):
    assert client.post(address).status_code == 405


@pytest.mark.parametrize("address", [*PAGES, "/stocks/AAA/", "/history/2026-04-30/balanced/", "/login/", "/nothing/"])
def test_no_inline_style_script_or_foreign_host(client, address):
    make_run()
    store("AAA", [(1.0, 1.0), (2.0, 2.0)])
    Stock.objects.update(kind="share", last_seen=SESSION, sector="Realty", market_cap=10.0)
    publish("balanced", [pick("AAA")])
    response = client.get(address)
    html = response.content.decode()
    assert "style=" not in html
    assert "<style" not in html
    assert not re.search(r"\son[a-z]+=", html)
    assert re.findall(r"<script(?![^>]*\ssrc=)", html) == []
    assert re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="(?:https?:)?//', html) == []
    policy = response["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'self'" in policy


def test_a_page_of_fifty_picks_needs_few_queries(client, django_assert_max_num_queries):
    publish("balanced", [pick(f"S{n}") for n in range(50)])
    page(client)
    with django_assert_max_num_queries(11):
        page(client)


def test_an_unknown_address_has_its_own_page(client):
    response = client.get("/nothing/")
    assert response.status_code == 404
    assert "Page not found" in response.content.decode()


def test_the_list_is_filtered_and_sorted(client):
    published = [
        pick("AAA", sector="Realty", predicted_return=1.0),
        pick("BBB", sector="Banks", predicted_return=3.0),
        pick("CCC", sector="Banks", predicted_return=2.0),
    ]
    publish("balanced", published)
    symbols = re.compile(r'class="symbol" href="/stocks/(\w+)/"')
    assert symbols.findall(page(client)) == ["AAA", "BBB", "CCC"]
    assert symbols.findall(page(client, "/picks/?sort=return")) == ["BBB", "CCC", "AAA"]
    html = page(client, "/picks/?sector=Banks")
    assert symbols.findall(html) == ["BBB", "CCC"]
    assert "2 of 3 picks" in html
    assert symbols.findall(page(client, "/picks/?search=aaa")) == ["AAA"]
    assert "No matching picks" in page(client, "/picks/?search=%3Cscript%3E")
    assert symbols.findall(page(client, "/picks/?sort=lottery")) == ["AAA", "BBB", "CCC"]
    assert symbols.findall(page(client, "/picks/?sort=symbol&order=desc")) == ["CCC", "BBB", "AAA"]


def test_what_changed_stands_beside_the_list(client):
    before = [pick("AAA", selection_score=0.5, score_parts={"prediction": 0.5}), pick("GONE")]
    previous = publish("balanced", before, session=SESSION.replace(day=29))
    left = {"symbol": "GONE", "last_rank": 2, "place": None, "reason": "RSI 71.5 is above 70"}
    kept = {"standing": "kept", "listed_since": SESSION.replace(day=21)}
    picks = [pick("NEW"), pick("AAA", selection_score=0.4, score_parts={"prediction": 0.4}, **kept)]
    publish("balanced", picks, previous=previous, departures=[left])
    for address in ("/picks/?strategy=balanced", f"/history/{SESSION}/balanced/"):
        html = page(client, address)
        assert "What changed since 29 Apr 2026: 1 new, 1 left, 1 stayed" in html
        assert "RSI 71.5 is above 70" in html
        assert "Score 0.500 → 0.400 (−0.100): prediction 0.50 → 0.40 (−0.100)." in html
    assert '<span class="stay">since 21 Apr</span>' in page(client)
    assert page(client).count('<span class="stay new">new</span>') == 1


def test_a_first_list_was_compared_with_none(client):
    publish("balanced", [pick("AAA")])
    html = page(client)
    assert "What changed" not in html
    assert '<span class="stay new">' not in html


def test_a_pick_is_explained_by_parts_and_thresholds(client):
    publish("balanced", [pick("AAA", score_parts={"prediction": 0.78, "safety": 0.88, "confidence": 0.85})])
    html = page(client)
    assert "Safety" in html
    assert "30 to 70" in html  # RSI
    assert "at most 50" in html  # P/E
    assert "not known" in html  # no facts of the session: volume


def test_unreadable_thresholds_do_not_hide_the_list(client, settings, tmp_path):
    settings.STOCK_FILTERS_FILE = tmp_path / "missing.yaml"
    publish("balanced", [pick("AAA")])
    assert "AAA" in page(client)
    assert "cannot be read" in page(client, "/strategies/")


def test_strategies_show_their_formula_and_thresholds(client):
    html = page(client, "/strategies/")
    assert "<strong>0.45</strong> × prediction + <strong>0.25</strong> × safety" in html
    assert "at most 80<" in html  # growth's own P/E
    assert re.search(r"at least ₹[\d,]+ crore<", html)
    assert re.search(r"at least [\d,]+ shares<", html)


def test_a_user_who_is_not_staff_logs_in_and_out(client, settings):
    settings.READING_NEEDS_LOGIN = True
    get_user_model().objects.create_user("asha", password="long-enough-for-tests")
    login = client.get("/picks/")["Location"]
    form = {"username": "asha", "password": "long-enough-for-tests", "next": "/picks/"}
    assert client.post(login, form)["Location"] == "/picks/"
    html = page(client)
    assert "Log out" in html
    assert "/admin/" not in re.sub(r'<div class="message.*', "", html, flags=re.DOTALL)
    assert client.get("/logout/").status_code == 405
    assert client.post("/logout/")["Location"] == "/login/"
    assert client.get("/picks/").status_code == 302


def test_a_login_never_redirects_to_another_site(client):
    get_user_model().objects.create_user("asha", password="long-enough-for-tests")
    form = {"username": "asha", "password": "long-enough-for-tests", "next": "https://example.org/"}
    assert client.post("/login/", form)["Location"] == "/"


def test_a_form_without_its_token_is_refused_with_an_explanation():
    response = Client(enforce_csrf_checks=True).post("/login/", {"username": "asha", "password": "x"})
    assert response.status_code == 403
    assert "This form was not accepted" in response.content.decode()
    assert "style=" not in response.content.decode()


def test_password_guessing_is_blocked(client, settings):
    settings.AXES_FAILURE_LIMIT = 3
    get_user_model().objects.create_user("asha", password="long-enough-for-tests")
    responses = [client.post("/login/", {"username": "asha", "password": f"guess{n}"}) for n in range(3)]
    assert [response.status_code for response in responses] == [200, 200, 429]
    assert "Please enter a correct" in responses[0].content.decode()
    locked = client.post("/login/", {"username": "asha", "password": "long-enough-for-tests"})
    assert locked.status_code == 429
    assert "Too many attempts" in locked.content.decode()
    assert "Try again in 15 minutes." in locked.content.decode()


def test_lists_of_unknown_strategies_or_days_are_not_found(client):
    for address in ("/history/?strategy=lottery", "/history/2026-04-30/growth/", "/history/2026-13-40/growth/"):
        assert client.get(address).status_code == 404
    assert "No growth list was published" in client.get("/history/2026-04-30/growth/").content.decode()


@pytest.mark.parametrize("day", ["0001-01-01", "1901-02-03", "9999-12-31"])
def test_a_day_beyond_the_calendar_has_no_list_of_shares_kept_out(client, admin_client, day):
    MarketDay.objects.create(date=SESSION, kind="normal", is_session=True, source="t")
    assert client.get(f"/status/kept-out/{day}/").status_code == 404
    assert admin_client.get(f"/admin/operations/kept-out/{day}/").status_code == 404
