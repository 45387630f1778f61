"""Tables of the alerts (troubles, their deliveries, the timers of the channels), and the audit."""

from django.db import models
from django.db.models.functions import Now


class Trouble(models.Model):
    """A problem from when it was noticed until it was over; one open row per key."""

    key = models.CharField(max_length=200, help_text="what is watched, and which: jobs:pipeline, clusters:ml")
    title = models.TextField(help_text="what is wrong, as it was when it was noticed")
    remedy = models.TextField(blank=True)
    since = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    over_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "troubles"
        ordering = ("-since", "key")
        constraints = (
            # Of two clusters that notice it, the second finds it open and does not report it again.
            models.UniqueConstraint(fields=("key",), condition=models.Q(over_at=None), name="troubles_one_open"),
        )

    def __str__(self) -> str:
        return self.key


class AlertDelivery(models.Model):
    """One channel's message about the beginning or the end of a trouble, delivered or waiting."""

    class Event(models.TextChoices):
        BEGUN = "begun", "Begun"
        OVER = "over", "Over"

    trouble = models.ForeignKey(Trouble, models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=5, choices=Event)
    channel = models.CharField(max_length=40)
    delivered_at = models.DateTimeField(null=True, blank=True, help_text="empty: waits, and is tried again")

    class Meta:
        db_table = "alert_deliveries"
        verbose_name_plural = "alert deliveries"
        ordering = ("-id",)
        constraints = (models.UniqueConstraint(fields=("trouble", "event", "channel"), name="alert_deliveries_once"),)
        indexes = (
            models.Index(
                fields=("channel",), condition=models.Q(delivered_at=None), name="idx_alert_deliveries_waiting"
            ),
        )

    def __str__(self) -> str:
        return f"{self.channel} {self.event}"


class AlertTimer(models.Model):
    """When the next message of a channel, or the next dead-man ping, may be sent.

    It is claimed by one conditional UPDATE: of two clusters one wins, and no channel is used more often than its pause
    allows.
    """

    name = models.CharField(primary_key=True, max_length=40)
    since = models.DateTimeField(help_text="first use")
    next_at = models.DateTimeField()
    failures = models.PositiveIntegerField(default=0, help_text="in a row; each doubles the pause")
    succeeded_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True)

    class Meta:
        db_table = "alert_timers"

    def __str__(self) -> str:
        return self.name


class AuditEntry(models.Model):
    """An act that changed money, rights, secrets or stored facts; only ever added.

    Triggers write it in the act's own transaction and fill in who, when and from where, whatever the caller claims;
    the database refuses every change (see `tradingsite/audit/triggers.py`).
    """

    class Channel(models.TextChoices):
        PAGE = "page", "Page"
        ADMIN = "admin", "Admin"
        API = "api", "API"
        COMMAND = "command", "Command"
        SHELL = "shell", "Shell or SQL"
        SYSTEM = "system", "System"

    at = models.DateTimeField(db_default=Now(), db_index=True)
    channel = models.CharField(max_length=7, choices=Channel, blank=True)
    actor = models.CharField(max_length=150, blank=True, help_text="the person's user name, as it was then")
    actor_id = models.BigIntegerField(null=True, blank=True)
    token = models.CharField(max_length=20, blank=True, help_text="beginning of the API token that was used")
    address = models.CharField(max_length=45, blank=True)
    account = models.CharField(max_length=200, blank=True, help_text="account and host of the machine")
    path = models.CharField(max_length=300, blank=True, help_text="request, or program")
    act = models.CharField(max_length=40, help_text="insert, update, delete, truncate, or the name of another act")
    table_name = models.CharField(max_length=63, blank=True)
    row_id = models.CharField(max_length=200, blank=True)
    before = models.JSONField(null=True, blank=True, help_text="changed columns only; no secret")
    after = models.JSONField(null=True, blank=True)
    run_id = models.CharField(max_length=64, blank=True)

    class Meta:
        db_table = "audit_log"
        verbose_name_plural = "audit"
        ordering = ("-id",)
        indexes = (
            models.Index(fields=("table_name", "row_id"), name="idx_audit_row"),
            models.Index(fields=("actor",), name="idx_audit_actor"),
            models.Index(fields=("run_id",), condition=~models.Q(run_id=""), name="idx_audit_run"),
        )

    def __str__(self) -> str:
        return f"{self.act} {self.table_name} {self.row_id}".rstrip()
