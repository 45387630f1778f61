"""The kill switch in a browser: from its list by one click and a reason, and back."""

from pathlib import Path

import pytest
from django.urls import reverse
from playwright.sync_api import expect
from pytest_django import Settings

from portfolio.models import KillSwitch
from tests.browser.conftest import DESKTOP, PHONE
from tests.browser.test_console import log_in

pytestmark = pytest.mark.long


@pytest.mark.parametrize("window", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_all_orders_are_stopped_and_let_go_again(opened, settings: Settings, tmp_path: Path, window):
    settings.KILL_SWITCH_FILE = tmp_path / "kill_switch"
    watched = opened(viewport=window)
    page = log_in(watched.page, watched.host + reverse("admin:portfolio_killswitch_switch"))
    for button, state in (("Stop all orders", "on"), ("Let orders go again", "off")):
        watched.open(reverse("admin:portfolio_killswitch_switch"))
        assert watched.serious_faults() == []
        assert watched.overflow() <= 0
        page.get_by_label("Reason").fill("odd fills")
        watched.picture(f"kill-switch-{state}-{window['width']}")
        page.get_by_role("button", name=button).click()
        expect(page.get_by_text(f"The kill switch is {state}.")).to_be_visible()
        watched.picture(f"kill-switches-{state}-{window['width']}")
    assert [row.is_on for row in KillSwitch.objects.all()] == [False, True]
    assert watched.faults == watched.foreign == []


@pytest.mark.parametrize("window", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_header_of_a_page_stops_all_orders(opened, settings: Settings, tmp_path: Path, window):
    settings.KILL_SWITCH_FILE = tmp_path / "kill_switch"
    watched = opened(viewport=window)
    page = log_in(watched.page, watched.host + reverse("admin:index"))
    for button, state in (("Stop all orders", "on"), ("Let orders go again", "off")):
        watched.open("/accounts/")
        page.locator("details.switch summary").click()
        assert watched.serious_faults() == []
        assert watched.overflow() <= 0
        page.get_by_label("Reason").fill("odd fills")
        box = page.locator("details.switch form").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        watched.picture(f"header-switch-{state}-{window['width']}")
        page.get_by_role("button", name=button).click()
        expect(page.get_by_text(f"The kill switch is {state}.")).to_be_visible()
    assert [row.is_on for row in KillSwitch.objects.all()] == [False, True]
