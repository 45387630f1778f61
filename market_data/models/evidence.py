"""Files read, rows rejected, and findings of the checks."""

from django.db import models
from django.db.models.functions import Now


class BarStatus(models.TextChoices):
    """Whether a bar is the exchange's own, or a vendor's that its file will replace."""

    PROVISIONAL = "provisional", "Provisional"
    FINAL = "final", "Final"


class SourceFile(models.Model):
    """The file that a session's bars came from; its fingerprint reveals a revised one."""

    session = models.DateField(unique=True)
    name = models.CharField(max_length=200)
    size = models.BigIntegerField(help_text="bytes")
    mtime_ns = models.BigIntegerField(help_text="modification time, nanoseconds")
    sha256 = models.CharField(max_length=64)
    rows = models.IntegerField(help_text="bars stored")
    rejected = models.IntegerField(help_text="rows rejected")
    status = models.CharField(
        max_length=12,
        choices=BarStatus,
        default=BarStatus.FINAL,
        db_default=BarStatus.FINAL,
        help_text="of its bars; models train and picks publish on final ones",
    )
    run_id = models.CharField(max_length=64, null=True)
    read_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "source_files"
        ordering = ("-session",)

    def __str__(self) -> str:
        return self.name


class RejectedRow(models.Model):
    """A row of a source that was set aside, with the reason."""

    run_id = models.CharField(max_length=64)
    session = models.DateField(null=True)
    symbol = models.CharField(max_length=100, blank=True)
    source = models.CharField(max_length=200)
    reason = models.CharField(max_length=200)
    raw = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "rejected_rows"
        indexes = (models.Index(fields=("session", "reason"), name="idx_rejected_session"),)

    def __str__(self) -> str:
        return f"{self.symbol} {self.reason}"


class Finding(models.Model):
    """What a check reports; a blocking finding keeps its symbol, or the whole day, out of the picks."""

    class Severity(models.TextChoices):
        INFO = "info", "Information"
        WARNING = "warning", "Warning"
        ERROR = "error", "Error"

    run_id = models.CharField(max_length=64)
    session = models.DateField(null=True)
    check_name = models.CharField(max_length=60)
    severity = models.CharField(max_length=8, choices=Severity)
    blocks = models.BooleanField(default=False, help_text="keeps the symbol, or the day, out of the picks")
    symbol = models.CharField(max_length=50, blank=True, help_text="empty: the whole day")
    message = models.TextField()
    remedy = models.TextField(blank=True)
    sample = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "findings"
        ordering = ("-session", "-severity", "check_name")
        indexes = (models.Index(fields=("session", "check_name"), name="idx_findings_session"),)

    def __str__(self) -> str:
        return f"{self.session} {self.check_name} {self.symbol}"
