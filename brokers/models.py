"""A person's access to a broker, and the calls that its limits count. Secrets are sealed, never logged or shown."""

from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from brokers.registered_ips import validate_registered_ips

DATA_ACCOUNT_TAKEN: Final = "Another account reads this broker's data: unmark that one first."

if TYPE_CHECKING:
    _Text = models.TextField[str, str]
else:
    _Text = models.TextField  # takes no type arguments at run time


class SealedField(_Text):
    """A text of `sealing.seal`, as it is; `accounts` seals and unseals. Exports and the audit know it by its type."""


class BrokerConfiguration(models.Model):
    """One person's account with one broker."""

    class Broker(models.TextChoices):
        FYERS = "fyers", "Fyers"
        ZERODHA = "zerodha", "Zerodha (Kite)"
        SIMULATOR = "simulator", "Simulator"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="broker_configurations")
    broker = models.CharField(max_length=20, choices=Broker)
    client_id = models.CharField(max_length=100, blank=True)
    app_key = models.CharField(max_length=100, blank=True, help_text="Kite's API key; Fyers' app id (XXXX-100)")
    api_secret = SealedField(blank=True, default="")
    access_token = SealedField(blank=True, default="")
    token_expires_at = models.DateTimeField(null=True, blank=True)
    key_id = models.CharField(
        max_length=100, blank=True, editable=False, help_text="id of the key that sealed its secrets; no secret"
    )
    registered_ips = models.JSONField(
        "registered addresses",
        default=list,
        blank=True,
        validators=[validate_registered_ips],
        help_text='a list of at most two addresses from which the broker takes orders, as ["203.0.113.7"]',
    )
    is_data_account = models.BooleanField(
        "account for data", default=False, help_text="reads this broker's quotes and lists for everybody"
    )
    is_active = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "broker_configurations"
        constraints = (
            models.UniqueConstraint(fields=("user", "broker"), name="broker_configurations_user_broker"),
            models.UniqueConstraint(
                fields=("broker",),
                condition=models.Q(is_data_account=True),
                name="broker_configurations_data_account",
                violation_error_message=DATA_ACCOUNT_TAKEN,
            ),
        )

    def __str__(self) -> str:
        return f"{self.user_id} {self.broker}"


class ImportedNote(models.Model):
    """A broker's contract note as it was imported, beside what was computed of it then; only ever added to."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="imported_notes")
    broker = models.CharField(max_length=20, choices=BrokerConfiguration.Broker)
    session = models.DateField()
    number = models.CharField(max_length=50, help_text="of the note, as the broker numbers it")
    fills = models.JSONField(help_text="order, symbol, kind, product, side, shares, and ₹ per share as text")
    stated = models.JSONField(help_text="lines of the note, ₹ as text")
    computed = models.JSONField(help_text="the same lines as computed when it was imported, ₹ as text")
    differing = models.PositiveSmallIntegerField(help_text="lines that differ")
    imported_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "contract_notes"
        ordering = ("-session", "-id")
        verbose_name = "contract note"
        constraints = (
            models.UniqueConstraint(fields=("user", "broker", "session", "number"), name="contract_notes_once"),
        )

    def __str__(self) -> str:
        return f"{self.broker} {self.number} of {self.session}"


class BrokerLogIn(models.Model):
    """A log-in that a person began at a broker's page; serves once, for ten minutes. Written by `log_in` alone."""

    state_hash = models.CharField(
        max_length=64, unique=True, help_text="SHA-256 of the state that the page brings back"
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="broker_log_ins")
    broker = models.CharField(max_length=20)
    session_hash = models.CharField(max_length=64, help_text="SHA-256 of the session's key, or `command`")
    created_at = models.DateTimeField(db_default=Now())
    used_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "broker_log_ins"
        indexes = (models.Index(fields=("created_at",), name="idx_broker_log_ins_created"),)

    def __str__(self) -> str:
        return f"{self.user_id} {self.broker}"


class BrokerCall(models.Model):
    """A call of the last two days, which the limits count; written by `limits` alone."""

    broker = models.CharField(max_length=20)
    account = models.CharField(max_length=100)
    counter = models.CharField(max_length=20, help_text="which of the broker's limits it counts in")
    ended_at = models.DateTimeField(help_text="when its answer came; until then, when its lease ends")

    class Meta:
        db_table = "broker_calls"
        indexes = (
            models.Index(fields=("broker", "account", "counter", "ended_at"), name="idx_broker_calls_counted"),
            models.Index(fields=("ended_at",), name="idx_broker_calls_ended"),
        )

    def __str__(self) -> str:
        return f"{self.broker} {self.account} {self.counter}"
