"""Django's registration of the market_data app."""

from django.apps import AppConfig


class MarketDataConfig(AppConfig):
    """Configuration of the market_data app."""

    default_auto_field = "django.db.models.BigAutoField"
    name = "market_data"
    verbose_name = "Market data"
