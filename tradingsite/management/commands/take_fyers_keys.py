"""`manage.py take_fyers_keys`: FYERS_CLIENT_ID and FYERS_ACCESS_TOKEN go into the first superuser's account, once."""

from typing import Any

from django.core.management.base import BaseCommand

from tradingsite.fyers_keys import take_fyers_keys


class Command(BaseCommand):
    help = "Store FYERS_CLIENT_ID and FYERS_ACCESS_TOKEN in the first superuser's account at Fyers, once."

    def handle(self, *_: object, **__: Any) -> None:
        if warning := take_fyers_keys():
            self.stderr.write(self.style.WARNING(warning))
