"""The picks page in a browser: desktop and phone, light and dark, live updates, and without JavaScript."""

import math
import random
import re
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from playwright.sync_api import expect

from market_data.models import DailyBar, PipelineStep
from stocks.models import Publication, Stock
from tests.browser.conftest import DESKTOP, PHONE, TABLET
from tests.published import SESSION, pick, publish, supersede
from tests.runs import make_run

NAMES = (
    ("RELIANCE", "Reliance Industries Limited", "Oil & Gas"),
    ("TCS", "Tata Consultancy Services Limited", "Information Technology"),
    ("HDFCBANK", "HDFC Bank Limited", "Banks"),
    ("M&M", "Mahindra & Mahindra Limited", "Automobiles"),
    ("BAJAJ-AUTO", "Bajaj Auto Limited", "Automobiles"),
    ("SUNPHARMA", "Sun Pharmaceutical Industries Limited", "Healthcare"),
    ("HINDUNILVR", "Hindustan Unilever Limited", "FMCG"),
    ("MRF", "MRF Limited", "Automobiles"),
)
WINDOWS = {"desktop": DESKTOP, "tablet": TABLET, "phone": PHONE}
ADVICE = ("STRONG_BUY", "BUY", "BUY", "HOLD", "AVOID")


def market(strategies=("balanced",)) -> None:
    """A small market with closes for sparklines, and published lists."""
    rng = random.Random(7)
    picks = []
    for place, (symbol, name, sector) in enumerate(NAMES):
        Stock.objects.create(symbol=symbol, stock_name=name, last_seen=SESSION)
        price = 10 ** rng.uniform(2, 5.1)
        days = [SESSION - timedelta(days=back) for back in range(70, -1, -1)]
        bars = []
        for day in days:
            price *= math.exp(rng.gauss(0.001, 0.018))
            bars.append(_bar(symbol, day, round(price, 2)))
        DailyBar.objects.bulk_create(bars)
        close = round(price, 2)
        score = 0.97 - place * 0.09
        picks.append(
            pick(
                symbol,
                stock_name=name,
                sector=sector,
                current_price=close,
                target_price=round(close * (1.09 - place * 0.01), 2),
                stop_loss=round(close * (0.93 - place * 0.004), 2),
                ml_prediction_score=score,
                ml_confidence=0.9 - place * 0.07,
                ml_probability=0.57 - place * 0.015,
                ml_risk_score=0.12 + place * 0.08,
                recommendation=ADVICE[min(place * 5 // len(NAMES), 4)],
                reason="Strong over 20 sessions, close to its 52-week high; debt to equity is missing and was skipped.",
            )
        )
    for strategy in strategies:
        publish(strategy, picks, reason="8 shares passed the conditions; fewer than 50 is a fair answer.")


def _bar(symbol, day, close):
    return DailyBar(
        symbol_id=symbol,
        date=day,
        series="EQ",
        open=close,
        high=close,
        low=close,
        close=close,
        adj_close=close,
        volume=9,
        source="t",
    )


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        ("desktop", "dark"),
        ("phone", "light"),
        *(
            pytest.param(*view, marks=pytest.mark.long)
            for view in (("desktop", "light"), ("tablet", "light"), ("tablet", "dark"), ("phone", "dark"))
        ),
    ],
)
def test_the_picks_are_readable_everywhere(opened, width, scheme):
    market(("balanced", "growth"))
    publish("value", [], reason="No share passed.")
    make_run(status="completed", done=6, ended_at="2026-04-30T15:42:10Z")
    options = {"viewport": WINDOWS[width]}
    watched = opened(color_scheme=scheme, **options)
    page = watched.open("/picks/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Picks for Monday 4 May 2026")
    expect(page.get_by_text("Simulated market.")).to_be_visible()
    expect(page.locator(".picks > tbody")).to_have_count(8)
    expect(page.locator("svg.spark polyline")).to_have_count(8)
    watched.picture(f"picks-{width}-{scheme}", full=width != "phone")
    assert watched.overflow() <= 0


def test_an_empty_system_shows_how_to_start(opened):
    watched = opened()
    expect(watched.open("/picks/").get_by_role("heading", name="Nothing has been collected yet")).to_be_visible()
    watched.picture("empty-desktop")


@pytest.mark.long
def test_the_first_evening_is_shown_up_to_its_picks_without_a_manual_reload(opened):
    Stock.objects.create(symbol="ZZZ", last_seen=SESSION)
    run = make_run(progress=0.2)
    watched = opened(viewport=PHONE)
    page = watched.open("/picks/")
    expect(page.get_by_text("The first picks are on their way")).to_be_visible()
    watched.picture("first-run-phone")
    PipelineStep.objects.filter(run=run, name="HISTORICAL_DATA").update(progress=0.8)
    expect(page.locator("#state .steps li.running")).to_contain_text("Under way, 47% done.", timeout=15_000)
    watched.picture("first-run-later-phone")
    market()
    expect(page.locator(".picks > tbody")).to_have_count(8, timeout=15_000)
    assert watched.overflow() <= 0


def test_an_open_list_is_not_replaced_without_a_click(opened):
    market()
    make_run(job="selection", names=("RANK", "PUBLISH"), done=1)
    watched = opened()
    page = watched.open("/picks/")
    expect(page.locator("#news")).to_be_hidden()
    supersede(Publication.objects.get())
    publish("balanced", [pick("NEWONE")], version=2)
    link = page.get_by_role("link", name="New picks were published")
    expect(link).to_be_visible(timeout=15_000)
    expect(page.get_by_text("RELIANCE").first).to_be_visible()
    link.click()
    expect(page.get_by_text("NEWONE", exact=True)).to_be_visible()


@pytest.mark.long
def test_readers_are_told_that_the_evening_has_stopped_but_not_why(opened):
    market()
    later = SESSION + timedelta(days=4)
    Stock.objects.filter(symbol="TCS").update(last_seen=later)
    make_run(status="failed", step_status="errored", done=2, session=later)
    watched = opened()
    page = watched.open("/picks/")
    expect(page.get_by_text("their preparation has stopped")).to_be_visible()
    expect(page.get_by_text("Until then the latest are those of Thursday 30 April 2026.")).to_be_visible()
    expect(page.get_by_text("truncated")).to_have_count(0)
    watched.picture("stopped-evening-desktop")


def test_an_abstention_shows_its_reason(opened):
    market(("growth",))
    publish("balanced", [], reason="internal", abstention="data")
    watched = opened(color_scheme="dark")
    page = watched.open("/picks/")
    expect(page.get_by_text("the data of the session did not pass the quality checks").first).to_be_visible()
    watched.picture("abstention-desktop-dark")


@pytest.mark.long
def test_an_unreachable_server_is_reported_until_it_is_back(opened):
    Stock.objects.create(symbol="ZZZ", last_seen=SESSION)
    make_run()
    watched = opened()
    page = watched.open("/picks/")
    page.route("**/state/", lambda route: route.fulfill(status=503, body="busy"))
    expect(page.get_by_text("The server is not responding")).to_be_visible(timeout=15_000)
    page.unroute("**/state/")
    expect(page.get_by_text("The server is not responding")).to_be_hidden(timeout=15_000)
    assert all("503" in fault for fault in watched.faults)
    watched.faults.clear()


def test_without_javascript_the_page_is_complete_and_refreshes(opened):
    market()
    watched = opened(java_script_enabled=False)
    page = watched.open("/picks/?strategy=balanced")
    expect(page.locator(".picks > tbody")).to_have_count(8)
    assert 'http-equiv="refresh"' in page.content()


def test_the_page_works_with_the_keyboard(opened):
    market(("balanced", "growth"))
    page = opened().open("/picks/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    growth = page.get_by_role("link", name="Growth")
    growth.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"\?strategy=growth$"))
    expect(page.get_by_role("link", name="Growth")).to_have_attribute("aria-current", "page")


@pytest.mark.long
def test_the_admin_retries_a_failed_run_from_its_list(opened):
    get_user_model().objects.create_superuser("operator", password="long-enough-for-tests")
    make_run(
        "cleanup_1", job="cleanup", status="failed", step_status="failed", done=0, names=("CLEANUP",), session=None
    )
    watched = opened()
    page = watched.open("/admin/market_data/pipelinerun/")
    page.fill("input[name=username]", "operator")
    page.fill("input[name=password]", "long-enough-for-tests")
    page.get_by_role("button", name="Log in").click()
    watched.picture("admin-runs-desktop")
    page.locator("input.action-select").first.check()
    page.locator("select[name=action]").first.select_option("retry")
    page.get_by_role("button", name="Run", exact=True).first.click()
    expect(page.get_by_text("cleanup_1 continues with CLEANUP.")).to_be_visible(timeout=90_000)
    watched.picture("admin-runs-retried-desktop")


def test_the_api_pages_load_nothing_from_other_hosts(opened):
    market()
    watched = opened()
    page = watched.open("/api/suggested-stocks/")
    expect(page.get_by_text("RELIANCE").first).to_be_visible()
    watched.picture("api-browsable-desktop")
    page = watched.open("/api/docs/")
    expect(page.get_by_text("/api/suggested-stocks/", exact=True)).to_be_visible(timeout=30_000)
    watched.picture("api-docs-desktop")
