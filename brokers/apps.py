"""Django's registration of the brokers app."""

from django.apps import AppConfig


class BrokersConfig(AppConfig):
    """Configuration of the brokers app."""

    default_auto_field = "django.db.models.BigAutoField"
    name = "brokers"
    verbose_name = "Brokers"
