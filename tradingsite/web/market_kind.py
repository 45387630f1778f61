"""What every page says of its market, error pages and the log-in included."""

from django.conf import settings
from django.http import HttpRequest


def market_kind(request: HttpRequest) -> dict[str, bool]:
    return {"simulated": settings.PROVIDER_KIND == "simulated"}
