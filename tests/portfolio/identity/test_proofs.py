"""Who enters a broker's secret, or connects a broker, proved a moment ago who they are."""

from typing import Any

import pytest
from django.test import Client

from brokers.models import BrokerConfiguration
from portfolio.models import User

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
CONFIRM = "/confirm/"
ADD = "/admin/brokers/brokerconfiguration/add/"


@pytest.fixture
def asha(clock, client) -> User:
    user = User.objects.create_superuser("asha", password=PASSWORD)
    assert client.post("/login/", {"username": "asha", "password": PASSWORD}).status_code == 302
    return user


def entered(user: User, **more: str) -> dict[str, Any]:
    return {"user": user.pk, "broker": "zerodha", "client_id": "AB1", "new_api_secret": "planted-Xy7!"} | more


def confirm(client: Client, typed: str, back: str = ADD) -> Any:
    return client.post(CONFIRM, {"proof": typed, "next": back})


def test_who_has_just_logged_in_enters_secrets(client, asha, clock):
    clock.pass_minutes(14)
    assert "id_new_api_secret" in client.get(ADD).content.decode()
    assert client.post(ADD, entered(asha)).status_code == 302
    assert BrokerConfiguration.objects.get().api_secret


def test_later_the_page_leads_to_where_one_proves_it_and_back(client, asha, clock):
    clock.pass_minutes(15)
    html = client.get(ADD).content.decode()
    assert "id_new_api_secret" not in html
    assert f"{CONFIRM}?next=%2Fadmin%2Fbrokers%2Fbrokerconfiguration%2Fadd%2F" in html
    assert client.get(f"{CONFIRM}?next={ADD}").status_code == 200
    answer = confirm(client, PASSWORD)
    assert (answer.status_code, answer["Location"]) == (302, ADD)
    assert "id_new_api_secret" in client.get(ADD).content.decode()


def test_a_proof_that_ended_while_the_form_was_filled_in_stores_nothing(client, asha, clock):
    clock.pass_minutes(16)
    for sent in (entered(asha), entered(asha, new_api_secret="", new_access_token="planted-Xy8!")):
        answer = client.post(ADD, sent)
        html = answer.content.decode()
        assert (answer.status_code, "Nothing was stored: confirm first that it is you" in html) == (200, True)
        assert 'value="AB1"' in html
        assert "planted-X" not in html
    assert not BrokerConfiguration.objects.exists()


def test_what_holds_no_new_secret_of_a_real_broker_needs_no_proof(client, asha, clock):
    clock.pass_minutes(16)
    assert client.post(ADD, entered(asha, new_api_secret="")).status_code == 302
    assert client.post(ADD, entered(asha, broker="simulator")).status_code == 302
    zerodha = BrokerConfiguration.objects.get(broker="zerodha")
    change = f"/admin/brokers/brokerconfiguration/{zerodha.pk}/change/"
    assert client.post(change, {"client_id": "AB1", "forget_secrets": "on"}).status_code == 302
    assert client.post(change, {"client_id": "AB1", "new_api_secret": "planted"}).status_code == 200
    assert not BrokerConfiguration.objects.get(broker="zerodha").api_secret


def test_a_broker_is_connected_after_a_proof(client, asha, clock):
    BrokerConfiguration.objects.create(user=asha, broker="zerodha", client_id="AB1", app_key="key", is_active=True)
    clock.pass_minutes(16)
    answer = client.post("/brokers/zerodha/connect/")
    assert (answer.status_code, answer["Location"]) == (302, f"{CONFIRM}?next=/brokers/")
    assert confirm(client, PASSWORD, "/brokers/")["Location"] == "/brokers/"
    assert not client.post("/brokers/zerodha/connect/").headers.get("Location", "").startswith(CONFIRM)


@pytest.mark.parametrize("typed", ["no-such-word", "", " ", "x" * 201, PASSWORD.upper()])
def test_another_password_proves_nothing(client, asha, clock, typed):
    clock.pass_minutes(16)
    answer = confirm(client, typed)
    assert (answer.status_code, "no-such-word" in answer.content.decode()) == (400, False)
    assert "id_new_api_secret" not in client.get(ADD).content.decode()


def test_wrong_passwords_are_limited_as_at_the_log_in(client):
    client.force_login(User.objects.create_user("asha", password=PASSWORD))
    answers = [confirm(client, f"wrong {number}").status_code for number in range(12)]
    assert answers == [400] * 9 + [429] * 3
    assert confirm(client, PASSWORD).status_code == 429


def test_a_proof_is_of_its_session_alone(client, asha, clock):
    other = Client()
    other.force_login(asha)
    clock.pass_minutes(16)
    confirm(client, PASSWORD)
    assert "id_new_api_secret" not in other.get(ADD).content.decode()


def test_a_clock_that_was_set_back_proves_nothing(client, asha, clock):
    clock.pass_minutes(-1)
    assert "id_new_api_secret" not in client.get(ADD).content.decode()


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "javascript:alert(1)", ""])
def test_nobody_is_sent_to_another_site(client, asha, back):
    assert confirm(client, PASSWORD, back)["Location"] == "/"


def test_a_visitor_is_asked_to_log_in(client, clock):
    assert client.get(CONFIRM)["Location"] == "/login/?next=/confirm/"
    assert client.post(CONFIRM, {"proof": PASSWORD})["Location"] == "/login/?next=/confirm/"
