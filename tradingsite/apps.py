"""The composition root as a Django app: it brings commands and system checks."""

from django.apps import AppConfig


class TradingSiteConfig(AppConfig):
    """Registers the system checks."""

    name = "tradingsite"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Import the checks; importing registers them."""
        from tradingsite import checks  # noqa: F401
