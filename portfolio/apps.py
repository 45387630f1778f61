"""Django's registration of the portfolio app."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class PortfolioConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "portfolio"
    verbose_name = "Portfolio"

    def ready(self) -> None:
        """Record the system's strategies after each migration, and log-ins as proofs."""
        from portfolio.identity.proofs import watch_log_ins  # models are not loaded before
        from portfolio.system_strategies import record_system_strategies

        watch_log_ins()
        post_migrate.connect(record_system_strategies, sender=self)
