"""Django's registration of the portfolio app."""

from django.apps import AppConfig


class PortfolioConfig(AppConfig):
    """Configuration of the portfolio app."""

    default_auto_field = "django.db.models.BigAutoField"
    name = "portfolio"
    verbose_name = "Portfolio"
