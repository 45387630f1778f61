"""Django's registration of the portfolio app."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class PortfolioConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "portfolio"
    verbose_name = "Portfolio"

    def ready(self) -> None:
        """Record the system's strategies after each migration."""
        from portfolio.system_strategies import record_system_strategies  # models are not loaded before

        post_migrate.connect(record_system_strategies, sender=self)
