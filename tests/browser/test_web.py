"""The web interface in a browser: login, market, filtered picks, chart, search and accessibility."""

import math
import random
import re
from datetime import date, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone
from playwright.sync_api import Page, expect

from brokers.models import BrokerConfiguration
from market_data.models import DailyBar, MarketDay, SourceFile, TechnicalIndicator
from ml.scoreboard import judging
from ml.scoreboard.writer import record_outcomes
from portfolio.models import Backtest
from stocks.models import Stock, StockMetrics
from tests import model_cards
from tests.backtests import store_completed
from tests.browser.conftest import DESKTOP, PHONE, Watched
from tests.portfolio.market import sessions
from tests.portfolio.pages.trading.accounts_to_see import store_accounts
from tests.published import SESSION, pick, publish

SHARES: tuple[tuple[str, str, str, float], ...] = (
    ("RELIANCE", "Reliance Industries Limited", "Oil & Gas", 1_900_000.0),
    ("TCS", "Tata Consultancy Services Limited", "Information Technology", 1_300_000.0),
    ("INFY", "Infosys Limited", "Information Technology", 650_000.0),
    ("HDFCBANK", "HDFC Bank Limited", "Banks", 1_250_000.0),
    ("M&M", "Mahindra & Mahindra Limited", "Automobiles", 350_000.0),
    ("SUNPHARMA", "Sun Pharmaceutical Industries Limited", "Healthcare", 400_000.0),
    ("HINDUNILVR", "Hindustan Unilever Limited", "FMCG", 560_000.0),
    ("TATASTEEL", "Tata Steel Limited", "Metals & Mining", 190_000.0),
)
DAYS = sessions(280)
PUBLISHED_BEFORE = DAYS[-12]
PASSWORD = "long-enough-for-tests"
PAGES = {
    "dashboard": "/",
    "picks": "/picks/",
    "stock": "/stocks/RELIANCE/",
    "found": "/stocks/?q=tata",
    "sectors": "/sectors/?span=1m",
    "history": "/history/",
    "past-list": f"/history/{PUBLISHED_BEFORE}/balanced/",
    "scoreboard": "/scoreboard/",
    "models": "/models/",
    "strategies": "/strategies/",
    "status": "/status/",
    "kept-out": f"/status/kept-out/{SESSION}/",
    "login": "/login/",
    "not-found": "/stocks/NOSUCH/",
}
PAGES_OF_PEOPLE = {
    "brokers": "/brokers/",
    "readiness": "/brokers/readiness/",
    "backtests": "/backtests/",
    "backtest": "/backtests/{first}/",
    "backtest-running": "/backtests/{running}/",
    "compare-backtests": "/backtests/compare/?a={first}&b={second}",
    "accounts": "/accounts/",
    "account": "/accounts/{account}/",
    "live-account": "/accounts/{live}/",
    "orders": "/accounts/{account}/orders/",
    "new-order": "/accounts/{account}/orders/new/",
    "new-live-order": "/accounts/{live}/orders/new/",
    "order": "/orders/{filled}/",
    "unknown-order": "/orders/{unknown}/",
    "trades": "/accounts/{account}/trades/",
    "plans": "/accounts/{account}/plans/",
    "differences": "/accounts/{account}/differences/",
    "ledger": "/accounts/{account}/ledger/",
    "tax-lots": "/accounts/{account}/tax/",
    "live": "/accounts/{live}/live/",
    "plan": "/plans/{plan}/",
    "kill-switch": "/kill-switch/",
    "confirm": "/confirm/?next=/brokers/",
    "second-factor": "/second-factor/",
}
"""Those that need a log-in; numbers are of what `store_backtests` and `store_accounts` store."""
FEW = ("dashboard", "picks", "stock", "account", "new-order", "unknown-order")


def store_market() -> None:
    """Eight shares over a year with indicators, and lists of twelve sessions ago and of the last one."""
    rng = random.Random(11)
    files = [SourceFile(session=day, name="f", size=1, mtime_ns=1, sha256="0", rows=8, rejected=0) for day in DAYS]
    SourceFile.objects.bulk_create(files)
    closes = {share[0]: _store_share(rng, *share) for share in SHARES}
    for session, back in ((PUBLISHED_BEFORE, -12), (SESSION, -1)):
        picks = [
            _pick(place, symbol, sector, closes[symbol][back]) for place, (symbol, _, sector, _) in enumerate(SHARES)
        ]
        for strategy in ("balanced", "growth", "momentum"):
            publish(strategy, picks[:5], session=session, reason="5 of 8 tradable shares passed.")
        publish("value", [], session=session, reason="No share passed (failed: 8 at max_pe_ratio 25).")
    _judge_the_earlier_lists()
    model_cards.store_champion()
    model_cards.store_evaluation()
    model_cards.store_report()


def _judge_the_earlier_lists() -> None:
    """Add what came of the lists of twelve sessions ago, and of the day before them, so that there is a curve."""
    MarketDay.objects.bulk_create(MarketDay(date=day, kind="normal", is_session=True, source="t") for day in DAYS)
    shares = [StockMetrics(symbol_id=symbol, date=PUBLISHED_BEFORE, tradable=True) for symbol, *_ in SHARES]
    StockMetrics.objects.bulk_create(shares)
    outcomes = judging.outcomes(SESSION)
    with transaction.atomic():
        record_outcomes(outcomes, "scoreboard_20260430_224500")
        for outcome in outcomes:
            outcome.pk, outcome.date = None, DAYS[-13]
        record_outcomes(outcomes, "scoreboard_20260429_224500")


def _store_share(rng: random.Random, symbol: str, name: str, sector: str, cap: float) -> list[float]:
    origin = {"source": "statements", "as_of": "2026-03-12", "how": "computed"}
    listed = {
        "source": "nse_archive:a_list_of_the_exchange_with_a_long_name.csv",
        "as_of": "2026-03-12",
        "how": "measured",
    }
    Stock.objects.create(
        symbol=symbol, stock_name=name, sector=sector, market_cap=cap, kind="share", series="EQ", last_seen=SESSION,
        pe_ratio=24.5, roe=12.5, face_value=10.0,
        provenance={"pe_ratio": origin, "roe": origin, "market_cap": origin, "face_value": listed},
    )  # fmt: skip
    price, closes, bars, indicators = 10 ** rng.uniform(2, 3.5), [], [], []
    for day in DAYS:
        before = price
        price *= math.exp(rng.gauss(0.0008, 0.017))
        close = round(price, 2)
        closes.append(close)
        bars.append(
            DailyBar(
                symbol_id=symbol, date=day, series="EQ", open=round(before, 2), high=max(before, close) * 1.01,
                low=min(before, close) * 0.99, close=close, adj_close=close, source="t",
                volume=rng.randrange(10**5, 10**6),
            )
        )  # fmt: skip
        indicators.append(_indicators(symbol, day, closes))
    DailyBar.objects.bulk_create(bars)
    TechnicalIndicator.objects.bulk_create(indicators)
    return closes


def _indicators(symbol: str, day: date, closes: list[float]) -> TechnicalIndicator:
    def mean(count: int) -> float | None:
        return sum(closes[-count:]) / count if len(closes) >= count else None

    middle, trend = mean(20), (closes[-1] / closes[max(-len(closes), -20)] - 1) * closes[-1]
    return TechnicalIndicator(
        symbol_id=symbol, date=day, rsi_14=50 + 30 * math.sin(len(closes) / 9), macd=trend / 5, signal_line=trend / 6,
        macd_histogram=trend / 30, sma_20=middle, sma_50=mean(50), sma_200=mean(200),
        bollinger_upper=middle and middle * 1.06, bollinger_middle=middle, bollinger_lower=middle and middle * 0.94,
    )  # fmt: skip


def _pick(place: int, symbol: str, sector: str, close: float) -> dict[str, object]:
    reason = f"Balanced (a good prediction at a low risk): place {place + 1} of 5 that passed, score 0.7{place} from"
    return pick(
        symbol,
        sector=sector,
        current_price=close,
        expected_entry=close * 1.002,
        target_price=round(close * 1.06, 2),
        stop_loss=round(close * 0.95, 2),
        predicted_return=float(place),
        reason=f"{reason} prediction 0.78, safety 0.88, confidence 0.6{place}, low volatility 0.50.",
        score_parts={"prediction": 0.78, "safety": 0.88, "confidence": 0.6 + place / 100, "low volatility": 0.5},
    )


def store_backtests() -> dict[str, int]:
    """Two completed backtests of the person who is logged in, and one at work."""
    owner = get_user_model().objects.get(username="asha")
    first, second, running = (store_completed(owner, every=every) for every in (10, 5, 3))
    Backtest.objects.filter(pk=running.pk).update(
        status="running", content=None, progress=0.4, lease_until=timezone.now() + timedelta(hours=1)
    )
    return {"first": first.pk, "second": second.pk, "running": running.pk}


def log_in(watched: Watched, path: str = "/") -> Page:
    get_user_model().objects.create_user("asha", password=PASSWORD)
    page = watched.open(f"/login/?next={path}")
    page.get_by_label("Username").fill("asha")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    return page


def legend(page: Page, pane: str = "price") -> str:
    return page.locator(f'.legend-line[data-pane="{pane}"]').inner_text()


def wait_for_chart(page: Page, months: int = 12) -> None:
    expect(page.locator(f'#chart[data-ready="{months}"]')).to_be_visible(timeout=15_000)


def test_a_reader_logs_in_sees_the_market_and_logs_out(opened, settings):
    settings.READING_NEEDS_LOGIN = True
    store_market()
    watched = opened()
    page = log_in(watched)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Thursday 30 April 2026")
    expect(page.get_by_role("region", name="Breadth of the session")).to_contain_text("rose")
    expect(page.locator(".lists .panel")).to_have_count(5)
    expect(page.locator(".lists")).to_contain_text("No share met")
    expect(page.get_by_role("link", name="Admin")).to_have_count(0)
    watched.picture("web-dashboard-desktop-light", full=True)
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    watched.picture("web-login-desktop-light")


def test_picks_are_filtered_sorted_and_explained(opened):
    store_market()
    watched = opened()
    page = watched.open("/picks/")
    symbols = page.locator("a.symbol")
    expect(symbols).to_have_count(5)
    page.get_by_role("link", name="Expected return").click()
    expect(symbols.first).to_have_text("M&M")
    page.get_by_label("Sector").select_option(label="Information Technology")
    page.get_by_role("button", name="Apply").click()
    expect(symbols).to_have_text(["INFY", "TCS"])
    page.locator("summary", has_text="INFY was picked").click()
    expect(page.get_by_text("Current thresholds").first).to_be_visible()
    watched.picture("web-picks-explained-desktop-light", full=True)
    page.get_by_label("Symbol or name", exact=True).fill("zzz")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("heading", name="No matching picks")).to_be_visible()


def test_a_chart_shows_candles_and_the_values_under_the_pointer(opened):
    store_market()
    watched = opened()
    page = watched.open("/stocks/RELIANCE/")
    wait_for_chart(page)
    assert pixel_count(page, "candle-up") + pixel_count(page, "candle-down") > 500
    assert pixel_count(page, "sma-200") > 50
    assert pixel_count(page, "accent") > 20  # the mark of the past picks
    last = DailyBar.objects.get(symbol__symbol="RELIANCE", date=SESSION)
    assert f"{last.close:,.2f}" in legend(page).replace(" ", "").replace("C", "C ")
    assert "Picked by" in legend(page)
    box = page.locator("#pane-price").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 100)
    expect(page.locator('.legend-line[data-pane="price"]')).not_to_contain_text("30 Apr 2026")
    shown = re.search(r"(\d+ \w+ \d{4}).*O\s*([\d,.]+).*C\s*([\d,.]+).*SMA 20\s*([\d,.]+)", legend(page), re.DOTALL)
    assert shown, legend(page)
    assert re.search(r"RSI 14\s*[\d.]+", legend(page, "rsi"))
    assert re.search(r"Signal\s*-?[\d.,]+", legend(page, "macd"))
    watched.picture("web-stock-desktop-light", full=True)


def pixel_count(page: Page, name: str) -> int:
    """Number of pixels of the price chart in a colour of the palette."""
    count: int = page.evaluate(
        """(name) => {
          const probe = document.createElement("canvas").getContext("2d");
          probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
          probe.fillRect(0, 0, 1, 1);
          const want = probe.getImageData(0, 0, 1, 1).data;
          let count = 0;
          for (const canvas of document.querySelectorAll("#pane-price canvas")) {
            if (!canvas.width || !canvas.height) continue;
            const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
            const near = (at, part) => Math.abs(data[at + part] - want[part]) < 12;
            for (let at = 0; at < data.length; at += 4)
              if (data[at + 3] > 200 && near(at, 0) && near(at, 1) && near(at, 2)) count += 1;
          }
          return count;
        }""",
        name,
    )
    return count


@pytest.mark.long
def test_a_chart_changes_its_range_and_zooms_with_the_keyboard(opened):
    store_market()
    watched = opened()
    page = watched.open("/stocks/M&M/")
    wait_for_chart(page)
    page.get_by_role("button", name="1M", exact=True).click()
    wait_for_chart(page, 1)
    expect(page.get_by_role("button", name="1M", exact=True)).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="3Y", exact=True).click()
    wait_for_chart(page, 36)
    page.locator("#panes").focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    before = DAYS[-2]
    expect(page.locator("#spoken")).to_contain_text(f"{before.day} {before:%b} {before.year}")
    page.keyboard.press("+")
    page.get_by_label("Bollinger 20, 2").uncheck()
    page.get_by_text("The last 20 sessions as a table").click()
    expect(page.locator("details[open] tbody tr")).to_have_count(20)


@pytest.mark.long
def test_a_failing_server_is_reported_in_place_of_the_chart(opened):
    store_market()
    watched = opened()
    page = watched.page
    refusal = '{"success": false, "error": {"code": "x", "message": "The database is resting."}}'
    page.route("**/bars.json*", lambda route: route.fulfill(status=503, body=refusal))
    watched.open("/stocks/TCS/")
    expect(page.locator("#chart-trouble")).to_contain_text("The database is resting.")
    page.unroute("**/bars.json*")
    page.get_by_role("button", name="6M", exact=True).click()
    wait_for_chart(page, 6)
    expect(page.locator("#chart-trouble")).to_be_hidden()
    assert all("503" in fault for fault in watched.faults)
    watched.faults.clear()


@pytest.mark.long
def test_the_chart_follows_a_change_to_dark(opened):
    store_market()
    watched = opened(color_scheme="light")
    page = watched.open("/stocks/INFY/")
    wait_for_chart(page)
    page.emulate_media(color_scheme="dark")
    expect(page.locator("body")).to_have_css("background-color", "rgb(16, 21, 19)")
    page.wait_for_timeout(300)
    assert pixel_count(page, "card") > 10_000
    watched.picture("web-stock-desktop-dark", full=True)


@pytest.mark.parametrize(
    ("width", "scheme", "names"),
    [
        ("phone", "light", FEW),
        *(
            pytest.param(*look, (*PAGES, *PAGES_OF_PEOPLE), marks=pytest.mark.long)
            for look in (("phone", "light"), ("desktop", "dark"))
        ),
    ],
)
def test_the_pages_are_accessible(opened, width, scheme, names):
    store_market()
    faults: list[str] = []
    watched = opened(viewport=DESKTOP if width == "desktop" else PHONE, color_scheme=scheme)
    for name in filter(PAGES.get, names):
        path = PAGES[name]
        faults += [f"{path} {width} {scheme}: {fault}" for fault in _page_faults(watched, name, path)]
        watched.picture(f"web-{name}-{width}-{scheme}", full=True)
    log_in(watched, "/status/")
    asha = get_user_model().objects.get(username="asha")
    facts = {"client_id": "AB1234", "app_key": "app-100", "registered_ips": ["203.0.113.7"]}
    configuration = BrokerConfiguration.objects.create(user=asha, broker="fyers", **facts)
    keys = store_backtests() | store_accounts(asha, configuration, SESSION)
    for name in filter(PAGES_OF_PEOPLE.get, names):
        path = PAGES_OF_PEOPLE[name].format(**keys)
        faults += [f"{path} {width} {scheme}: {fault}" for fault in _page_faults(watched, name, path)]
        watched.picture(f"web-{name}-{width}-{scheme}", full=True)
    # One of the pages is a 404, which the browser reports as an error.
    watched.faults[:] = [fault for fault in watched.faults if not ("404" in fault and "NOSUCH" in fault)]
    assert faults == []


def _page_faults(watched: Watched, name: str, path: str) -> list[str]:
    page = watched.open(path)
    if name == "stock":
        wait_for_chart(page)
    wide = ["wider than the window"] if watched.overflow() > 0 else []
    return [*watched.serious_faults(), *wide, *(f"sticks out of its panel: {row}" for row in watched.spilled())]


def test_every_page_of_an_empty_database_shows_how_to_start(opened):
    watched = opened(viewport=PHONE)
    for path in ("/", "/picks/", "/sectors/", "/scoreboard/", "/history/", "/status/"):
        page = watched.open(path)
        expect(page.get_by_text("./run.sh manage run_all").first).to_be_visible()
        assert page.locator("canvas, svg.tree-map, svg.breadth").count() == 0
        assert watched.overflow() <= 0


def test_a_stock_can_be_searched_from_any_page(opened):
    store_market()
    page = opened().open("/strategies/")
    page.get_by_role("searchbox").fill("infy")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/stocks/INFY/$"))
