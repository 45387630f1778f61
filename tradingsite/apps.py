"""Commands and system checks of the site."""

from django.apps import AppConfig


class TradingSiteConfig(AppConfig):
    """The composition root."""

    name = "tradingsite"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Import the checks, which registers them, keep pickles out of the queue's results, close private files."""
        from tradingsite import checks  # noqa: F401
        from tradingsite.clusters.results import store_results_as_json
        from tradingsite.private_files import tighten

        store_results_as_json()
        tighten()
