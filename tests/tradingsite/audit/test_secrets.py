"""No secret reaches the audit, whichever form it was entered in."""

import re

import pytest
from django.db import connection
from django.urls import reverse

from brokers.accounts import store_secrets
from brokers.models import BrokerConfiguration
from portfolio.models import ApiToken

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
    sent = {"name": "a script", "scopes": ["read"], "days": "7"}
    [key] = re.findall(r'id="key">([0-9a-f]{48})<', client.post(reverse("admin:portfolio_apitoken_add"), sent).text)
    store_secrets(configuration, access_token=SECRETS["orm"])
    keys = [key, *ApiToken.objects.values_list("digest", flat=True)]
    kept += stored("SELECT password FROM users UNION SELECT session_key FROM django_session")
    kept += stored("SELECT api_secret, access_token FROM broker_configurations")
    ApiToken.objects.all().delete()
    configuration.delete()
    text = audit_text()
    assert len(keys) == 2
    assert [secret for secret in (*SECRETS.values(), *keys, *kept) if secret in text] == []
    for known in ("ravi", "XA1", key[:8], "(another secret)"):
        assert known in text
