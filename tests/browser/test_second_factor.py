"""Enrolling a second factor in a browser, on a desktop and a phone, in both colours."""

import base64
import re
import time

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from playwright.sync_api import expect

from tests.browser.conftest import DESKTOP, PHONE
from tests.browser.test_web import log_in


@pytest.mark.long
@pytest.mark.parametrize(("viewport", "width"), [(DESKTOP, "desktop"), (PHONE, "phone")])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("scripts", [True, False])
def test_it_is_enrolled_and_its_code_confirms(opened, viewport, width, scheme, scripts):
    watched = opened(viewport=viewport, color_scheme=scheme, java_script_enabled=scripts)
    page = log_in(watched, "/second-factor/")

    def look(name: str) -> None:
        if scripts:  # axe is a script
            assert watched.serious_faults() == []
            assert watched.overflow() <= 0
            assert watched.spilled() == []
        watched.picture(f"web-second-factor-{name}-{width}-{scheme}", full=True)

    expect(page.get_by_role("heading", name="It is off")).to_be_visible()
    look("off")
    page.get_by_role("button", name="Set up").click()
    secret = re.sub(r"\s", "", page.locator(".secret").inner_text())
    expect(page.locator(".qr")).to_be_visible()
    look("set-up")
    totp = TOTP(base64.b32decode(secret), 6, SHA1(), 30)
    page.get_by_label("Code that the app shows").fill("12345")
    page.get_by_role("button", name="Turn it on").click()
    expect(page.get_by_role("alert")).to_contain_text("The code is not right")
    look("wrong-code")
    page.get_by_label("Code that the app shows").fill(totp.generate(int(time.time())).decode())
    page.get_by_role("button", name="Turn it on").click()
    expect(page.locator(".codes code")).to_have_count(10)
    recovery = page.locator(".codes code").first.inner_text()
    look("codes")
    watched.open("/confirm/?next=/second-factor/")
    page.get_by_label("Code of your second factor").fill("000000")
    look("confirm")
    page.get_by_label("Code of your second factor").fill(recovery)
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("9 recovery codes left")).to_be_visible()
    look("on")
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_text("your password is asked for instead")).to_be_visible()
    watched.faults[:] = [fault for fault in watched.faults if "400" not in fault]
