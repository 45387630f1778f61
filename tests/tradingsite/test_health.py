"""`/health` answers whoever asks, and knows whether the database does."""

import pytest
from django.test import Client
from pytest_django import Settings


@pytest.mark.django_db
def test_it_answers_without_the_sites_name_and_without_tls(settings: Settings):
    settings.ALLOWED_HOSTS, settings.SECURE_SSL_REDIRECT = ["trading.example"], True
    client = Client(headers={"host": "127.0.0.1:5001"})
    answer = client.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert client.get("/").status_code in (301, 400)  # anything else still needs both
