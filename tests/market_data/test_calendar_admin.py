"""The calendar in the admin: what a person enters holds until a person takes it back."""

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from market_data import trading_calendar
from market_data.calendar_sources import day_frame
from market_data.models import CalendarYear, MarketDay

pytestmark = pytest.mark.django_db
DAY = date(2026, 4, 30)
LIST = reverse("admin:market_data_marketday_changelist")
CHANGE = reverse("admin:market_data_marketday_change", args=[DAY])


@pytest.fixture(autouse=True)
def calendar(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "sec_bhavdata_full_29042026.csv").write_text("later")
    settings.MARKET_DATA_PROVIDER, settings.NSE_ARCHIVE_DIR = "nse_archive", tmp_path
    trading_calendar.record_market_days(day_frame([]), "XBOM", "r1")


def take_back(client: Client, address: str, *keys: Any) -> str:
    answer = client.post(address, {"action": "take_back", "_selected_action": keys}, follow=True)
    return answer.content.decode()


def test_an_edit_is_the_operators_and_the_next_seed_leaves_it(admin_client: Client) -> None:
    page = admin_client.get(CHANGE).content.decode()
    assert "until you take it back in the list" in page
    answer = admin_client.post(CHANGE, {"kind": "holiday", "open": "", "close": ""})
    assert answer.status_code == 302
    trading_calendar.record_market_days(day_frame([]), "XBOM", "r2")
    row = MarketDay.objects.get(date=DAY)
    assert (row.kind, row.is_session, row.source, row.run_id) == ("holiday", False, "operator", None)
    assert f"Taken back: {DAY}" in take_back(admin_client, LIST, DAY)
    assert trading_calendar.is_session(DAY)
    assert "None of these days was edited" in take_back(admin_client, LIST, DAY)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"kind": "holiday", "is_session": "on"}, "A holiday cannot be a session"),
        ({"kind": "normal", "is_session": "on", "open": "15:30", "close": "09:15"}, "is not after the opening"),
    ],
)
def test_a_contradictory_day_is_refused(admin_client: Client, fields: dict[str, str], sentence: str) -> None:
    assert sentence in admin_client.post(CHANGE, fields).content.decode()
    assert MarketDay.objects.get(date=DAY).source == "exchange_calendars XBOM"


def test_a_day_is_not_deleted_because_it_would_count_as_closed(admin_client: Client) -> None:
    assert admin_client.post(reverse("admin:market_data_marketday_delete", args=[DAY])).status_code == 403


def test_the_coverage_of_an_import_is_taken_back(admin_client: Client) -> None:
    holiday = pd.DataFrame({"date": [date(2027, 1, 26)], "kind": "holiday", "is_session": False})
    trading_calendar.record_imported_days(holiday.assign(open=None, close=None), "x.csv", covers=(2027,))
    address = reverse("admin:market_data_calendaryear_changelist")
    assert "2027" in take_back(admin_client, address, 2027)
    assert not CalendarYear.objects.filter(year=2027).exists()
    assert "None of these years" in take_back(admin_client, address, 2026)
    assert CalendarYear.objects.filter(year=2026).exists()
