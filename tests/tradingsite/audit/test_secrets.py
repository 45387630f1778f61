"""No secret reaches the audit, whichever form it was entered in."""

import pytest
from django.db import connection
from django.urls import reverse
from rest_framework.authtoken.models import Token

from brokers.accounts import store_secrets
from brokers.models import BrokerConfiguration

pytestmark = pytest.mark.django_db
SECRETS = {name: f"planted-{name}-Xy7!" for name in ("password", "new", "wrong", "api", "access", "api2", "orm")}


def audit_text() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(audit_log::text, E'\\n') FROM audit_log")
        return str(cursor.fetchone()[0])


def stored(query: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return [value for row in cursor.fetchall() for value in row if value]


def test_planted_secrets_are_not_found(client, asha, django_user_model):
    client.force_login(asha)
    twice = {"password1": SECRETS["password"], "password2": SECRETS["password"], "usable_password": "true"}
    assert client.post(reverse("admin:portfolio_user_add"), {"username": "ravi", **twice}).status_code == 302
    ravi = django_user_model.objects.get(username="ravi")
    kept = stored("SELECT password FROM users")
    twice = {"password1": SECRETS["new"], "password2": SECRETS["new"], "usable_password": "true"}
    assert client.post(reverse("admin:auth_user_password_change", args=[ravi.pk]), twice).status_code == 302
    client.post("/login/", {"username": "ravi", "password": SECRETS["wrong"]})
    account = {"user": asha.pk, "broker": "fyers", "client_id": "XA1"}
    sent = account | {"new_api_secret": SECRETS["api"], "new_access_token": SECRETS["access"]}
    assert client.post(reverse("admin:brokers_brokerconfiguration_add"), sent).status_code == 302
    kept += stored("SELECT api_secret, access_token FROM broker_configurations")
    [configuration] = BrokerConfiguration.objects.all()
    address = reverse("admin:brokers_brokerconfiguration_change", args=[configuration.pk])
    assert client.post(address, account | {"new_api_secret": SECRETS["api2"]}).status_code == 302
    assert client.post(reverse("admin:authtoken_tokenproxy_add"), {"user": asha.pk}).status_code == 302
    store_secrets(configuration, access_token=SECRETS["orm"])
    keys = [*Token.objects.values_list("key", flat=True)]
    kept += stored("SELECT password FROM users UNION SELECT session_key FROM django_session")
    kept += stored("SELECT api_secret, access_token FROM broker_configurations")
    Token.objects.all().delete()
    configuration.delete()
    text = audit_text()
    assert len(keys) == 1
    assert [secret for secret in (*SECRETS.values(), *keys, *kept) if secret in text] == []
    for known in ("ravi", "XA1", f"{keys[0][:4]}…", "(another secret)"):
        assert known in text
