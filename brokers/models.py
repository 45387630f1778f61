"""A person's access to a broker. Secrets are stored encrypted, and never logged or shown."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from brokers.credentials import EncryptedTextField


class BrokerConfiguration(models.Model):
    """One person's account with one broker."""

    class Broker(models.TextChoices):
        FYERS = "fyers", "Fyers"
        ZERODHA = "zerodha", "Zerodha (Kite)"
        SIMULATOR = "simulator", "Simulator"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="broker_configurations")
    broker = models.CharField(max_length=20, choices=Broker)
    client_id = models.CharField(max_length=100, blank=True)
    api_secret = EncryptedTextField(blank=True, default="")
    access_token = EncryptedTextField(blank=True, default="")
    token_expires_at = models.DateTimeField(null=True, blank=True)
    is_active = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "broker_configurations"
        constraints = (models.UniqueConstraint(fields=("user", "broker"), name="broker_configurations_user_broker"),)

    def __str__(self) -> str:
        return f"{self.user_id} {self.broker}"
