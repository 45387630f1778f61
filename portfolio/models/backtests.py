"""Backtests that people asked for."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class Backtest(models.Model):
    """What a list would have earned by given parameters: asked for by a person, computed once, never changed after.

    The row is also the job: `portfolio.backtest.job` claims it by a conditional update, under a fence and a lease.
    """

    class Status(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Running"
        COMPLETED = "completed", "Completed"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    UNFINISHED = (Status.WAITING, Status.RUNNING)

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="backtests")
    strategy = models.CharField(max_length=50)
    first = models.DateField(help_text="first day of the span")
    last = models.DateField(help_text="last day of the span")
    parameters = models.JSONField(help_text="all parameters, with strategy and span; amounts in ₹ as texts")
    recipe = models.CharField(max_length=12, blank=True, help_text="whose predictions the list comes from")
    data_hash = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the lists, bars and events it read")
    content = models.JSONField(null=True, blank=True, help_text="the result; empty until it has completed")
    status = models.CharField(max_length=9, choices=Status, default=Status.WAITING, db_default=Status.WAITING)
    progress = models.FloatField(default=0.0, db_default=0.0, help_text="0-1")
    reason = models.TextField(blank=True, default="", db_default="", help_text="why it failed or was cancelled")
    worker = models.CharField(max_length=200, blank=True, default="", db_default="")
    attempts = models.PositiveIntegerField(default=0, db_default=0, help_text="claims since it was asked for")
    fence = models.PositiveIntegerField(default=0, db_default=0, help_text="outdates an earlier worker")
    lease_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "backtests"
        ordering = ("-created_at", "-id")
        constraints = (
            models.UniqueConstraint(
                fields=("owner", "parameters", "recipe"),
                condition=models.Q(status__in=("waiting", "running")),
                name="backtests_unfinished_once",
            ),
            models.CheckConstraint(
                condition=~models.Q(status="completed") | models.Q(content__isnull=False),
                name="backtests_completed_have_content",
            ),
        )
        indexes = (
            models.Index(fields=("owner", "-created_at"), name="backtests_of_owner"),
            models.Index(fields=("strategy", "recipe", "-created_at"), name="backtests_of_list"),
        )

    def __str__(self) -> str:
        return f"{self.strategy} {self.first} to {self.last}"

    @property
    def is_unfinished(self) -> bool:
        return self.status in self.UNFINISHED
