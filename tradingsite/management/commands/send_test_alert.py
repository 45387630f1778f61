"""`manage.py send_test_alert`: tries each channel and the dead-man ping, and says what happened."""

from functools import partial
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from tradingsite.alerts import dead_man
from tradingsite.alerts.channels import attempted, call, channels
from tradingsite.alerts.deliveries import system_name
from tradingsite.alerts.messages import Message


class Command(BaseCommand):
    """Sends one test message each way, at once, whatever the channels' pauses say."""

    help = "Send a test message through each configured channel, call the dead-man address, and say what happened."
    requires_system_checks: list[str] = []

    def handle(self, *_: object, **__: Any) -> None:
        """Send, print one line a channel, and fail when one failed."""
        try:
            ways = channels()
        except ValueError as error:
            raise CommandError(str(error)) from error
        text = f"{system_name()}: a test alert, sent {timezone.localtime():%d %b %Y %H:%M} by hand. All is well."
        message = Message(f"{system_name()}: test alert", text)
        actions = {f"{name} ({way.target})": partial(way.send, message) for name, way in ways.items()}
        if settings.DEADMAN_PING_SECRET_URL:
            actions[dead_man.NAME] = partial(call, "GET", settings.DEADMAN_PING_SECRET_URL)
        if not actions:
            raise CommandError(
                "No channel is configured: set ALERT_MAIL_TO and EMAIL_URL, ALERT_WEBHOOK_URLS or DEADMAN_PING_URL."
            )
        outcomes = attempted(actions)
        for name, wrong in outcomes.items():
            self.stdout.write(f"{name}: {wrong or 'delivered'}")
        failed = sum(map(bool, outcomes.values()))
        if failed:
            raise CommandError(f"{failed} of {len(outcomes)} could not be delivered.")
