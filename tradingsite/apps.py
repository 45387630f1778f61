"""Commands and system checks of the site."""

from typing import Final

from django.apps import AppConfig, apps

_APP_NAMES: Final = {
    "auth": "People",
    "axes": "Log-ins",
    "brokers": "Brokers",
    "django_q": "Queue",
    "market_data": "Market data",
    "ml": "Models",
    "tradingsite": "Operations",
}
"""What the admin's headings call an app whose own name says nothing to its readers."""


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
        for label, name in _APP_NAMES.items():
            apps.get_app_config(label).verbose_name = name
