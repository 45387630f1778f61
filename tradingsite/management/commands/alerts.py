"""`manage.py alerts`: the open alerts, their deliveries, and the state of the channels."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from tradingsite.alerts import dead_man
from tradingsite.alerts.channels import channels
from tradingsite.models import AlertTimer, Trouble


class Command(BaseCommand):
    help = "List the open alerts, their deliveries, and the state of the channels."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--all", action="store_true", help="list the last 50, including resolved ones")

    def handle(self, *_: object, **options: Any) -> None:
        troubles = Trouble.objects.prefetch_related("deliveries")
        shown = list(troubles[:50] if options["all"] else troubles.filter(over_at=None))
        lines = [_line(trouble) for trouble in shown] or ["No alert is open."]
        timers = {timer.name: timer for timer in AlertTimer.objects.all()}
        targets = {name: f"{name} ({channel.target})" for name, channel in channels().items()}
        lines += [""] + [_channel_state(text, timers.get(name)) for name, text in targets.items()]
        if not targets:
            lines.append("No channel is configured: set ALERT_MAIL_TO and EMAIL_URL, or ALERT_WEBHOOK_URLS.")
        if dead_man.NAME in timers:
            lines.append(_channel_state(dead_man.NAME, timers[dead_man.NAME]))
        self.stdout.write("\n".join(lines))


def _line(trouble: Trouble) -> str:
    deliveries = list(trouble.deliveries.all())
    delivered = sorted({delivery.channel for delivery in deliveries if delivery.delivered_at})
    waiting = sorted({delivery.channel for delivery in deliveries if not delivery.delivered_at})
    span = f"since {timezone.localtime(trouble.since):%d %b %H:%M}"
    span += f" until {timezone.localtime(trouble.over_at):%d %b %H:%M}" if trouble.over_at else ""
    notes = [f"delivered: {', '.join(delivered)}"] if delivered else []
    notes += [f"not delivered yet: {', '.join(waiting)}"] if waiting else []
    lines = [f"{span}  {trouble.key}", f"    {trouble.title}"]
    lines += [f"    {note}" for note in (trouble.remedy, "; ".join(notes)) if note]
    return "\n".join(lines)


def _channel_state(name: str, timer: AlertTimer | None) -> str:
    if timer is None:
        return f"{name}: never used"
    last = f"last success {timezone.localtime(timer.succeeded_at):%d %b %H:%M}" if timer.succeeded_at else "no success"
    if not timer.failures:
        return f"{name}: {last}"
    again = f"{timezone.localtime(timer.next_at):%d %b %H:%M}"
    return f"{name}: {last}; failed {timer.failures} times since: {timer.last_error} Again at {again}."
