"""The page of picks and the state of the run."""

import re

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache

from stocks.models import Stock
from tests.portfolio.test_queries import store
from tests.published import SESSION, pick, publish
from tests.runs import make_run

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _empty_cache():
    cache.clear()


def page(client, address="/"):
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def test_a_pick_is_shown_with_everything_it_rests_on(client):
    store("RELIANCE", [(100.0, 100.0), (2450.5, 2450.5)])
    publish("balanced", [pick("RELIANCE", recommendation="STRONG_BUY", reason="Strong score; <b>low</b> risk.")])
    html = page(client)
    for text in ("RELIANCE Limited", "₹2,450.50", "₹2,650.00", "+8.1 %", "₹2,300.00", "−6.1 %", "0.78", "0.85", "0.12"):
        assert text in html
    assert "Strong buy" in html
    assert "54 % to beat the median" in html
    assert "&lt;b&gt;low&lt;/b&gt;" in html
    assert "Picks for Monday 4 May 2026" in html
    assert "Thursday 30 April 2026" in html
    assert "1 May, 02:15 IST" in html
    assert html.count("<polyline") == 1


def test_each_strategy_has_its_own_tab_and_list(client):
    publish("balanced", [pick("AAA")])
    publish("growth", [pick("BBB"), pick("CCC")])
    html = page(client, "/?strategy=growth")
    assert "BBB" in html
    assert "AAA" not in html
    assert re.search(r'href="\?strategy=growth" aria-current="page">Growth <span class="count">2<', html)
    assert client.get("/?strategy=lottery").status_code == 404


def test_a_missing_figure_is_a_dash(client):
    publish("value", [pick("AAA", target_price=None, stop_loss=None, ml_confidence=None, sector=None, reason=None)])
    html = page(client, "/?strategy=value")
    assert "–" in html
    assert "None" not in html


def test_an_abstention_gives_its_reason_and_no_older_list(client):
    publish("balanced", [pick("OLD")], session=SESSION.replace(day=29))
    publish("balanced", [], reason="Validation failed: 40 % of the bars are missing.")
    html = page(client)
    assert "Validation failed" in html
    assert "OLD" not in html


def test_an_outdated_list_says_so(client):
    publish("balanced", [pick("AAA")])
    assert "has ended and its picks" not in page(client)
    Stock.objects.create(symbol="AAA", last_seen=SESSION.replace(month=5, day=4))
    assert "has ended and its picks" in page(client)


def test_an_empty_database_says_what_happens_and_what_to_do(client):
    html = page(client)
    assert "Nothing has been collected yet" in html
    assert "./run.sh manage run_all" in html


def test_the_first_run_is_shown_while_it_works(client):
    make_run()
    html = page(client)
    assert "The first picks are on their way" in html
    assert "Historical data" in html
    assert "Read 300 of 500 sessions" in html
    assert 'value="0.42"' in html
    assert '<noscript><meta http-equiv="refresh" content="10"></noscript>' in html


def test_a_failed_first_run_gives_its_reason_once(client):
    make_run(status="failed", step_status="errored", done=1)
    html = page(client)
    assert "the last run failed" in html
    assert "Retry failed steps" in html


def test_what_is_simulated_is_marked(client, settings):
    settings.PROVIDER_KIND = "simulated"
    assert "Simulated market." in page(client)
    settings.PROVIDER_KIND = "real"
    assert "Simulated market." not in page(client)


def test_the_state_is_json_with_its_piece_of_the_page(client):
    make_run()
    publish("balanced", [pick("AAA")])
    response = client.get("/state/")
    body = response.json()
    assert body["success"] is True
    assert body["active"] is True
    assert body["runs"][0]["id"] == "pipeline_20260430_210000"
    assert body["runs"][0]["steps"][2]["progress"] == 0.5
    assert "Historical data" in body["html"]
    assert body["published"]
    assert response["Cache-Control"] == "no-store"
    assert body["again_in_seconds"] < 5


def test_a_new_publication_changes_what_the_state_names(client):
    first = publish("balanced", [pick("AAA")])
    before = client.get("/state/").json()["published"]
    first.picks_in_force.all().delete()
    first.superseded_at = first.published_at
    first.save()
    publish("balanced", [pick("BBB")], version=2)
    assert client.get("/state/").json()["published"] != before


def test_in_production_reading_needs_a_login(client, settings):
    settings.READING_NEEDS_LOGIN = True
    assert client.get("/")["Location"].startswith("/admin/login/?next=/")
    assert client.get("/state/").status_code == 401
    client.force_login(get_user_model().objects.create_user("asha"))
    assert client.get("/").status_code == 200
    assert client.get("/state/").status_code == 200


@pytest.mark.parametrize("address", ["/", "/state/"])
def test_pages_are_only_read(client, address):
    assert client.post(address).status_code == 405


def test_no_inline_style_script_or_foreign_host(client):
    make_run()
    store("AAA", [(1.0, 1.0), (2.0, 2.0)])
    publish("balanced", [pick("AAA")])
    response = client.get("/")
    html = response.content.decode()
    assert "style=" not in html
    assert "<style" not in html
    assert re.findall(r"<script(?![^>]*\ssrc=)", html) == []
    assert re.findall(r'(?:src|href)="(?:https?:)?//', html) == []
    policy = response["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'self'" in policy


def test_a_page_of_fifty_is_a_handful_of_queries(client, django_assert_max_num_queries):
    publish("balanced", [pick(f"S{n}") for n in range(50)])
    page(client)
    with django_assert_max_num_queries(8):
        page(client)


def test_an_unknown_address_is_a_page_of_ours(client):
    response = client.get("/nothing/")
    assert response.status_code == 404
    assert "There is nothing here" in response.content.decode()
