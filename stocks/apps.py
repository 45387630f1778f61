"""Django's registration of the stocks app."""

from django.apps import AppConfig


class StocksConfig(AppConfig):
    """Configuration of the stocks app."""

    default_auto_field = "django.db.models.BigAutoField"
    name = "stocks"
    verbose_name = "Stocks"
