"""The picks page with fifty picks: its height, its size, its columns, the folded rest, printing and the phone."""

import gzip
import sys
from datetime import date, timedelta

import pytest
from playwright.sync_api import Page, expect

from market_data.models import DailyBar
from stocks.models import Stock
from tests.browser.conftest import PHONE
from tests.published import SESSION, pick, publish

WIDE = {"width": 1440, "height": 900}
SECTORS = ("Information Technology", "Construction", "Metals & Mining", "Banks", "Fast Moving Consumer Goods")
HIGHEST = {"desktop": 60, "phone": 140}
COMPRESSED_BYTES = 80_000


def store_fifty(bought: int = 12) -> None:
    """A list of fifty shares with long names, sixty closes each; the first ones are worth a purchase."""
    days = [SESSION - timedelta(days=back) for back in range(70, -1, -1)]
    symbols = [f"SYMBOL{place:02}" for place in range(50)]
    Stock.objects.bulk_create(
        Stock(symbol=symbol, last_seen=SESSION, pe_ratio=20.0, kind="share") for symbol in symbols
    )
    bars, picks = [], []
    for place, symbol in enumerate(symbols):
        closes = [100 + place * 37.35 + (day.toordinal() * (place + 7)) % 23 for day in days]
        bars += [_bar(symbol, day, close) for day, close in zip(days, closes, strict=True)]
        picks.append(
            pick(
                symbol,
                stock_name=f"Simulated {symbol.title()} Construction Company Limited",
                sector=SECTORS[place % len(SECTORS)],
                current_price=closes[-1],
                expected_entry=closes[-1] * 1.001,
                target_price=closes[-1] * 1.011,
                stop_loss=closes[-1] * 0.95,
                predicted_return=1.5 - place / 40,
                ml_prediction_score=0.99 - place / 100,
                ml_confidence=0.5 + place * 7 % 40 / 100,
                recommendation=("STRONG_BUY" if place % 3 else "BUY") if place < bought else "HOLD",
                reason=f"Balanced (a good prediction at a low risk): place {place + 1} of 1312 that passed, score"
                f" 0.{97 - place} from prediction 0.78, safety 0.88, confidence 0.61, low volatility 0.50.",
                score_parts={"prediction": 0.78, "safety": 0.88, "confidence": 0.6 + place / 200},
            )
        )
    DailyBar.objects.bulk_create(bars)
    publish("balanced", picks, reason="50 of 1312 tradable shares passed.")


def _bar(symbol: str, day: date, close: float) -> DailyBar:
    prices = dict.fromkeys(("open", "high", "low", "close", "adj_close"), close)
    return DailyBar(symbol_id=symbol, date=day, series="EQ", volume=9, source="t", **prices)


def heights(page: Page) -> list[float]:
    """Heights of the picks that are shown, in px."""
    shown: list[float] = page.evaluate(
        "[...document.querySelectorAll('.picks > tbody')].filter(one => one.checkVisibility())"
        ".map(one => one.getBoundingClientRect().height)"
    )
    return shown


@pytest.mark.long
def test_fifty_picks_are_compact_and_light(opened, client):
    store_fifty(bought=50)
    body = client.get("/picks/").content
    compressed = len(gzip.compress(body, 6))
    assert compressed < COMPRESSED_BYTES
    sys.stderr.write(f"\n{len(body):,} bytes, {compressed:,} compressed\n")
    for name, viewport in (("desktop", WIDE), ("phone", PHONE)):
        watched = opened(viewport=viewport)
        requests: list[str] = []
        watched.page.on("request", lambda request, to=requests: to.append(request.url))
        page = watched.open("/picks/")
        height, shown = page.evaluate("document.documentElement.scrollHeight"), heights(page)
        watched.picture(f"picks-fifty-{name}")
        sys.stderr.write(f"{viewport['width']} px: {len(requests)} requests, page {height} px, pick {max(shown)} px\n")
        assert len(shown) == 50
        assert max(shown) <= HIGHEST[name]
        assert watched.overflow() <= 0


@pytest.mark.long
def test_the_rest_is_folded_and_printed_whole(opened):
    store_fifty(bought=3)
    watched = opened(viewport=WIDE, java_script_enabled=False)
    page = watched.open("/picks/")
    expect(page.get_by_text("3 of 50 are worth a purchase after costs today.")).to_be_visible()
    assert len(heights(page)) == 3
    page.emulate_media(media="print")
    assert len(heights(page)) == 50
    expect(page.get_by_role("button", name="Apply")).to_be_hidden()
    watched.picture("picks-printed", full=True)
    page.emulate_media(media="screen")
    page.get_by_text("47 to hold or avoid").click()
    page.locator("summary", has_text="SYMBOL49 was picked").click()
    expect(page.get_by_text("place 50 of 1312 that passed")).to_be_visible()
    page.get_by_role("link", name="Expected return").first.click()
    page.wait_for_load_state()
    expect(page.locator(".held[open] .picks > tbody")).to_have_count(47)
    assert len(heights(page)) == 50
