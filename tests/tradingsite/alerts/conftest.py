"""Channels that lead to loopback servers."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.tradingsite.alerts.servers import MailSink, WebSink, mail_sink, web_sink

TOKEN = "T0KEN-that-nobody-may-read"
PASSWORD = "MAIL-passw0rd"


@pytest.fixture
def web(settings: Settings) -> Iterator[WebSink]:
    """A webhook whose address holds a token."""
    with web_sink() as sink:
        settings.ALERT_WEBHOOK_SECRET_URLS = [f"{sink.address}/services/{TOKEN}"]
        yield sink


@pytest.fixture
def post_office(settings: Settings) -> Iterator[MailSink]:
    """A mail server."""
    with mail_sink() as sink:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.server_address[1]
        settings.ALERT_MAIL_TO = ["asha@example.com"]
        yield sink
