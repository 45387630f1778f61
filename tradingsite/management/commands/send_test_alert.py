"""`manage.py send_test_alert`: try each channel and the dead-man ping, and print the outcomes."""

from functools import partial
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from tradingsite.alerts import dead_man
from tradingsite.alerts.channels import attempt_all, call, channels
from tradingsite.alerts.deliveries import system_name
from tradingsite.alerts.messages import Message


class Command(BaseCommand):
    """Sends a test message through every channel at once, regardless of the channels' pauses."""

    help = "Send a test message through each configured channel, call the dead-man address, and print the outcomes."
    requires_system_checks: list[str] = []

    def handle(self, *_: object, **__: Any) -> None:
        try:
            configured = channels()
        except ValueError as error:
            raise CommandError(str(error)) from error
        text = f"{system_name()}: a test alert, sent {timezone.localtime():%d %b %Y %H:%M} by hand. All is well."
        message = Message(f"{system_name()}: test alert", text)
        actions = {f"{name} ({channel.target})": partial(channel.send, message) for name, channel in configured.items()}
        if settings.DEADMAN_PING_SECRET_URL:
            actions[dead_man.NAME] = partial(call, "GET", settings.DEADMAN_PING_SECRET_URL)
        if not actions:
            raise CommandError(
                "No channel is configured: set ALERT_MAIL_TO and EMAIL_URL, ALERT_WEBHOOK_URLS or DEADMAN_PING_URL."
            )
        errors = attempt_all(actions)
        for name, failure in errors.items():
            self.stdout.write(f"{name}: {failure or 'delivered'}")
        failures = sum(map(bool, errors.values()))
        if failures:
            raise CommandError(f"{failures} of {len(errors)} could not be delivered.")
