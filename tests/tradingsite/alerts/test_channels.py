"""Channels against real servers: what they deliver and refuse, and that no secret leaks."""

import logging
import threading
from functools import partial

import pytest
from pytest_django import Settings

from tests.tradingsite.alerts.conftest import PASSWORD, TOKEN
from tests.tradingsite.alerts.servers import MailSink, WebSink, web_sink
from tradingsite.alerts import channels
from tradingsite.alerts.messages import Message
from tradingsite.settings import LOGGING

MESSAGE = Message("Site: 1 open", 'Line one\nline "two" \\ ₹')


def send(name: str) -> str:
    """Send through a channel and return the error."""
    return channels.attempt_all({name: lambda: channels.channels()[name].send(MESSAGE)})[name]


def test_slack_receives_the_text(web: WebSink):
    assert send("webhook 1") == ""
    assert web.requests == [("POST", f"/services/{TOKEN}", {"text": MESSAGE.text})]


def test_telegram_receives_its_chat_beside_slack(web: WebSink, settings: Settings):
    settings.ALERT_WEBHOOK_SECRET_URLS = [f"{web.address}/slack", f"{web.address}/bot1:{TOKEN}/sendMessage"]
    settings.ALERT_WEBHOOK_PAYLOAD = '[{"text": "$text"}, {"chat_id": "-100", "parts": [{"text": "!! $text"}], "n": 1}]'
    assert send("webhook 2") == ""
    assert web.requests == [
        ("POST", f"/bot1:{TOKEN}/sendMessage", {"chat_id": "-100", "parts": [{"text": f"!! {MESSAGE.text}"}], "n": 1})
    ]


def test_mail_is_delivered(post_office: MailSink):
    assert send("mail") == ""
    assert "Subject: Site: 1 open" in post_office.mails[0]
    assert post_office.recipients == ["rcpt TO:<asha@example.com>"]


def test_a_mail_server_that_refuses_is_named(post_office: MailSink):
    post_office.refuses = True
    assert send("mail") == "127.0.0.1 did not accept the mail (SMTPRecipientsRefused)."


@pytest.mark.parametrize("code", [400, 404, 429, 500, 503])
def test_an_error_status_is_a_failure(web: WebSink, code: int):
    web.codes = [code]
    assert send("webhook 1") == f"127.0.0.1 answered {code}."


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(web: WebSink, code: int):
    with web_sink() as elsewhere:
        web.codes, web.location = [code], f"{elsewhere.address}/steal"
        assert "is not followed" in send("webhook 1")
        assert elsewhere.requests == []
    assert len(web.requests) == 1


def test_a_server_that_hangs_is_abandoned_at_the_deadline(web: WebSink):
    web.codes = [0]
    quick = threading.Event()
    outcomes = channels.attempt_all(
        {"hangs": lambda: channels.channels()["webhook 1"].send(MESSAGE), "works": quick.set}, seconds=0.5
    )
    assert outcomes == {"hangs": "It did not finish within 0.5 s.", "works": ""}
    assert quick.is_set()


def test_no_secret_leaks(
    web: WebSink,
    post_office: MailSink,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
):
    settings.ALERT_WEBHOOK_SECRET_URLS = [
        f"{web.address}/{TOKEN}",  # answers 500
        f"http://127.0.0.1:1/{TOKEN}",  # nobody listens
    ]
    web.codes = [500]
    settings.EMAIL_PORT, settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = 1, "asha", PASSWORD
    # As configured: below a warning the HTTP library would log the paths it calls.
    level = LOGGING["loggers"]["urllib3"]["level"]
    with caplog.at_level(logging.DEBUG), caplog.at_level(level, logger="urllib3"):
        configured = channels.channels()
        outcomes = channels.attempt_all({name: partial(channel.send, MESSAGE) for name, channel in configured.items()})
    assert len(outcomes) == 3
    assert all(outcomes.values())
    texts = " ".join([*outcomes, *outcomes.values(), *(channel.target for channel in configured.values()), caplog.text])
    assert TOKEN not in texts
    assert PASSWORD not in texts


def test_an_error_carries_no_cause_with_the_address(web: WebSink):
    with pytest.raises(channels.NotDelivered) as caught:
        channels.call("POST", f"http://127.0.0.1:1/{TOKEN}", {})
    assert TOKEN not in str(caught.value)
    assert caught.value.__suppress_context__


def test_without_settings_there_is_no_channel(settings: Settings):
    settings.ALERT_MAIL_TO, settings.ALERT_WEBHOOK_SECRET_URLS = [], []
    assert channels.channels() == {}


def test_developers_pages_hide_the_addresses(settings: Settings):
    from django.views.debug import SafeExceptionReporterFilter

    settings.ALERT_WEBHOOK_SECRET_URLS, settings.DEADMAN_PING_SECRET_URL = [f"https://x/{TOKEN}"], f"https://y/{TOKEN}"
    settings.EMAIL_HOST_PASSWORD = PASSWORD
    shown = str(SafeExceptionReporterFilter().get_safe_settings())
    assert TOKEN not in shown
    assert PASSWORD not in shown
