"""Channels of alerts: mail, and webhooks (Slack, Telegram and the like).

A channel is a name, a target that may be shown, and a function that sends. To add one, write the function and add an
entry to `channels`. Webhook addresses hold tokens: neither they nor the libraries' messages, which repeat them, leave
this file.
"""

import json
import smtplib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.core.mail import EmailMessage

from tradingsite.alerts.messages import Message

PLACEHOLDER = "$text"
_CONNECT_SECONDS, _READ_SECONDS = 5, 10
# A server that sends a byte now and then never runs into a read timeout.
DEADLINE_SECONDS = 30.0


class NotDelivered(Exception):
    """A channel did not accept a message; the sentence holds no address and no secret."""


@dataclass(frozen=True)
class Channel:
    """One way out: its name in deliveries, where it leads (without secrets), and what sends or raises NotDelivered."""

    name: str
    target: str
    send: Callable[[Message], None]


def channels() -> dict[str, Channel]:
    configured = []
    if settings.ALERT_MAIL_TO:
        count = len(settings.ALERT_MAIL_TO)
        configured.append(Channel("mail", f"{count} address{'es' if count > 1 else ''}", _send_mail))
    addresses = settings.ALERT_WEBHOOK_SECRET_URLS
    templates = payload_templates(settings.ALERT_WEBHOOK_PAYLOAD, len(addresses))
    for number, (address, template) in enumerate(zip(addresses, templates, strict=True), start=1):
        send = partial(_post, address, template)
        configured.append(Channel(f"webhook {number}", urlsplit(address).hostname or "no host", send))
    return {channel.name: channel for channel in configured}


def payload_templates(text: str, count: int) -> list[dict[str, Any]]:
    """Parse ALERT_WEBHOOK_PAYLOAD: one JSON object for all webhooks, or a list with one for each.

    ValueError when it is neither, or an object has no placeholder for the text.
    """
    try:
        payload = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"ALERT_WEBHOOK_PAYLOAD is not JSON: {error.msg} at character {error.pos}.") from None
    templates = payload if isinstance(payload, list) else [payload] * count
    if len(templates) != count:
        raise ValueError(f"ALERT_WEBHOOK_PAYLOAD lists {len(templates)} objects for {count} webhook addresses.")
    for template in templates:
        if not isinstance(template, dict) or PLACEHOLDER not in json.dumps(template):
            raise ValueError(
                f"Each object of ALERT_WEBHOOK_PAYLOAD needs a value with {PLACEHOLDER},"
                f' for example {{"text": "{PLACEHOLDER}"}}.'
            )
    return templates


def attempt_all(actions: Mapping[str, Callable[[], None]], seconds: float = DEADLINE_SECONDS) -> dict[str, str]:
    """Run actions in parallel threads, waiting at most `seconds` for all; return the error of each, empty if none.

    An action that hangs is abandoned to its own timeouts.
    """
    outcomes: dict[str, str] = {}

    def attempt(name: str, action: Callable[[], None]) -> None:
        try:
            action()
        except NotDelivered as error:
            outcomes[name] = str(error)
        except Exception as error:  # its text may hold an address
            outcomes[name] = f"It broke ({type(error).__name__})."
        else:
            outcomes[name] = ""

    threads = [threading.Thread(target=attempt, args=item, daemon=True) for item in actions.items()]
    for thread in threads:
        thread.start()
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return {name: outcomes.get(name, f"It did not finish within {seconds:g} s.") for name in actions}


def call(method: str, address: str, payload: Any = None) -> None:
    """Make one request that must be answered with 2xx; redirects are not followed, they could lead anywhere.

    NotDelivered names the host, and nothing else of the address.
    """
    host = urlsplit(address).hostname or "the address"
    try:
        with requests.request(
            method, address, json=payload, timeout=(_CONNECT_SECONDS, _READ_SECONDS), allow_redirects=False, stream=True
        ) as response:
            code = response.status_code
    except requests.RequestException as error:
        # The library's message repeats the address, and so would the chain of exceptions.
        raise NotDelivered(f"{host} could not be reached ({type(error).__name__}).") from None
    if 300 <= code < 400:
        raise NotDelivered(f"{host} answered {code}, a redirect, which is not followed: name the final address.")
    if not 200 <= code < 300:
        raise NotDelivered(f"{host} answered {code}.")


def _post(address: str, template: dict[str, Any], message: Message) -> None:
    call("POST", address, _fill_template(template, message.text))


def _fill_template(value: Any, text: str) -> Any:
    if isinstance(value, dict):
        return {key: _fill_template(item, text) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill_template(item, text) for item in value]
    return value.replace(PLACEHOLDER, text) if isinstance(value, str) else value


def _send_mail(message: Message) -> None:
    mail = EmailMessage(message.subject, message.text, settings.DEFAULT_FROM_EMAIL, settings.ALERT_MAIL_TO)
    try:
        mail.send()
    except smtplib.SMTPResponseException as error:
        raise NotDelivered(f"{settings.EMAIL_HOST} answered {error.smtp_code}.") from None
    except (smtplib.SMTPException, OSError) as error:
        raise NotDelivered(f"{settings.EMAIL_HOST} did not accept the mail ({type(error).__name__}).") from None
