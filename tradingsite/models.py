"""Tables of the alerts: troubles, their deliveries, and the timers of the channels."""

from django.db import models


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
