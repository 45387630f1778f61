"""The tax statement in a browser: a ledger is chosen, its statement shown and downloaded."""

import pytest
from django.conf import settings
from playwright.sync_api import expect

from tests.browser.conftest import DESKTOP, PHONE
from tests.browser.test_web import log_in

SAMPLE = settings.BASE_DIR / "static" / "portfolio" / "sample_ledger.csv"


@pytest.mark.parametrize(
    ("width", "scheme"), [("phone", "light"), pytest.param("desktop", "dark", marks=pytest.mark.long)]
)
def test_a_ledger_becomes_a_statement(opened, width, scheme):
    watched = opened(viewport=DESKTOP if width == "desktop" else PHONE, color_scheme=scheme)
    page = log_in(watched, "/tax/")
    expect(page.get_by_role("link", name="Tax")).to_have_attribute("aria-current", "page")
    page.get_by_role("button", name="Show the statement").click()  # the browser asks for a file
    page.get_by_label("Ledger", exact=True).set_input_files(SAMPLE)
    page.get_by_label("Days to long term as of").fill("2026-04-30")
    page.get_by_role("button", name="Show the statement").click()
    expect(page.get_by_role("heading", name="2024-25: tax")).to_be_visible()
    expect(page.locator(".scroll[aria-label='Open lots']")).to_contain_text("13 Jan 2027")
    page.locator("details").first.click()
    assert watched.serious_faults() == []
    assert watched.overflow() <= 0
    watched.picture(f"web-tax-{width}-{scheme}", full=True)
    page.get_by_label("Ledger", exact=True).set_input_files(SAMPLE)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    assert download.value.suggested_filename == "tax_statement.csv"
