"""Commands and system checks of the site."""

from django.apps import AppConfig


class TradingSiteConfig(AppConfig):
    """The composition root."""

    name = "tradingsite"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Import the checks, which registers them, and keep pickles out of the queue's results."""
        from tradingsite import checks  # noqa: F401
        from tradingsite.clusters.results import store_results_as_json

        store_results_as_json()
