"""Commands and system checks of the site."""

from django.apps import AppConfig


class TradingSiteConfig(AppConfig):
    """The composition root."""

    name = "tradingsite"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Import the checks; importing registers them."""
        from tradingsite import checks  # noqa: F401
