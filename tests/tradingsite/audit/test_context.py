"""A request's person is set for its writes, and for nothing after them."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from market_data.models import MarketDay
from portfolio.models import Strategy
from tests.published import SESSION

pytestmark = pytest.mark.django_db(transaction=True)
DAYS = "admin:market_data_marketday"


def add_day(client) -> None:
    sent = {"date": "2026-12-26", "kind": "holiday", "source": "circular"}
    assert client.post(reverse(f"{DAYS}_add"), sent).status_code == 302


def test_nothing_of_a_request_remains_on_its_connection(client, entries, asha):
    client.force_login(asha)
    add_day(client)
    before = len(entries())
    Strategy.objects.create(name="Mine", kind="growth")
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('audit.actor', true), current_setting('audit.channel', true)")
        assert cursor.fetchone() in ((None, "system"), ("", "system"))
    [entry] = entries()[before:]
    assert (entry.channel, entry.actor, entry.address) == ("system", "", "")


def test_two_requests_of_one_connection_are_two_peoples(client, entries, asha, django_user_model):
    MarketDay.objects.create(date=SESSION, kind="normal", is_session=True, source="test")
    client.force_login(asha)
    add_day(client)
    other = django_user_model.objects.create_superuser("ravi")
    client.force_login(other)
    client.post(reverse(f"{DAYS}_changelist"), {"action": "take_back", "_selected_action": ["2026-12-26"]})
    acts = [(entry.act, entry.actor, entry.actor_id) for entry in entries(table_name="market_days")]
    assert acts == [("insert", "asha", asha.pk), ("delete", "ravi", other.pk)]


def test_a_write_that_fails_leaves_nothing_behind(client, entries, asha):
    client.force_login(asha)
    MarketDay.objects.create(date=SESSION, kind="normal", is_session=True, source="test")
    answer = client.post(reverse(f"{DAYS}_add"), {"date": str(SESSION), "kind": "holiday", "source": "circular"})
    assert answer.status_code == 200  # the form says why
    assert entries(table_name="market_days") == []
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(current_setting('audit.actor', true), '')")
        assert cursor.fetchone() == ("",)


@pytest.mark.parametrize("address", ["/", "/admin/", "/admin/market_data/marketday/", "/api/suggested-stocks/"])
def test_reading_asks_the_database_nothing_more(client, asha, address):
    client.force_login(asha)
    client.get(address)
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    assert [query["sql"] for query in queries if "audit." in query["sql"]] == []


def test_a_file_that_somebody_takes_away_is_an_act(client, entries, asha):
    client.force_login(asha)
    address = reverse(f"{DAYS}_export")
    before = len(entries())
    assert client.get(address).status_code == 200
    [entry] = entries()[before:]
    assert (entry.act, entry.actor, entry.path) == ("export", "asha", f"GET {address}")
    assert entry.after == {"file": 'attachment; filename="market_days.csv"'}


def test_a_file_of_chosen_columns_is_an_act_too(client, entries, asha):
    client.force_login(asha)
    Strategy.objects.create(name="Mine", kind="growth")
    address, before = reverse("admin:portfolio_strategy_export"), len(entries())
    assert client.get(address).status_code == 200  # the form takes nothing away
    assert entries()[before:] == []
    chosen = {"format": "0", "resource": "0", "strategyresource_name": "on"}
    answer = client.post(address, chosen)
    assert "attachment" in answer["Content-Disposition"]
    assert [(entry.act, entry.actor, entry.path) for entry in entries()[before:]] == [
        ("export", "asha", f"POST {address}")
    ]
