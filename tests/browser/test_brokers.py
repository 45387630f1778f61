"""Connecting a broker in a browser: our page, the vendor's page on loopback, the way back, a test, readiness."""

from urllib.parse import parse_qs, urlencode

import pytest
from django.contrib.auth import get_user_model
from playwright.sync_api import expect

from brokers.accounts import account_of, store_secrets
from tests.brokers.accounts import VENUES
from tests.brokers.kite_venue import APP_SECRET
from tests.brokers.test_log_in import CODES
from tests.brokers.venue import Answer, Request
from tests.browser.test_web import log_in

LOGIN_PAGES = {"zerodha": "/connect/login", "fyers": "/api/v3/generate-authcode"}


@pytest.mark.parametrize("broker", ["zerodha", pytest.param("fyers", marks=pytest.mark.long)])
def test_an_account_is_connected_and_tested(opened, settings, live_server, broker: str):
    with VENUES[broker]() as venue:
        settings.KITE_API_ROOT = settings.FYERS_API_ROOT = venue.root

        def logged_in(request: Request) -> Answer:
            """Both go back to the address that is registered; Kite adds what it was given, Fyers the state."""
            query = {name: values[0] for name, values in request.query.items()}
            state = query.get("state") or parse_qs(query["redirect_params"])["state"][0]
            back = f"{live_server.url}/brokers/callback/?{urlencode(CODES[broker] | {'state': state})}"
            return Answer(302, headers={"Location": back})

        venue.routes["GET", LOGIN_PAGES[broker]] = logged_in
        watched = opened()
        page = log_in(watched, "/brokers/")
        expect(page.get_by_text("You have no account here.")).to_have_count(2)
        user = get_user_model().objects.get(username="asha")
        account = account_of(broker, user)
        store_secrets(account, client_id="AB1234", app_key="app-100", api_secret=APP_SECRET)
        title = account.get_broker_display()
        watched.open("/brokers/readiness/")
        expect(page.get_by_text("There is no token.")).to_be_visible()
        page.get_by_role("button", name=f"Connect {title}").click()
        watched.picture(f"web-connect-{broker}-desktop-light", full=True)
        page.get_by_role("link", name="log-in page").click()
        expect(page.get_by_text("is connected as AB1234")).to_be_visible()
        assert page.url == f"{live_server.url}/brokers/"
        page.get_by_role("button", name=f"Test {title}").click()
        expect(page.get_by_text("Funds: ₹58,150.50 available.")).to_be_visible()
        watched.picture(f"web-brokers-connected-{broker}-desktop-light", full=True)
        watched.open("/brokers/readiness/")
        expect(page.get_by_text("Standing: shares can be sold without the owner.")).to_be_visible()
        assert watched.serious_faults() == []
        watched.picture(f"web-readiness-connected-{broker}-desktop-light", full=True)
        watched.foreign[:] = [url for url in watched.foreign if not url.startswith(venue.root)]
