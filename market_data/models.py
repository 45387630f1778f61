"""Bars, indicators, the market's calendar, and the state of every run.

OHLCV stay as published; only `adj_close` follows corporate actions. Units are in each field's ``help_text``.
"""

from django.db import models
from django.db.models.functions import Now

from stocks.models import Stock, amount


def symbol_key() -> "models.ForeignKey[Stock, Stock]":
    """Return the key to `stocks(symbol)`; its unique partner (symbol, date) already serves look-ups by symbol."""
    return models.ForeignKey(
        Stock, models.PROTECT, to_field="symbol", db_column="symbol", db_index=False, related_name="+"
    )


class DailyBar(models.Model):
    """One session of one symbol, as the exchange published it.

    The unique key (symbol, date) also serves `symbol, date DESC`: the contract's second index would only cost writes.
    """

    class Status(models.TextChoices):
        PROVISIONAL = "provisional", "Provisional"
        FINAL = "final", "Final"

    symbol = symbol_key()
    date = models.DateField()
    series = models.CharField(max_length=4, help_text="EQ, BE, BZ, SM or ST")
    open = amount("₹, as published")
    high = amount("₹, as published")
    low = amount("₹, as published")
    close = amount("₹, as published")
    adj_close = amount("₹, close adjusted for splits and bonuses known by the latest session")
    volume = models.BigIntegerField(null=True, help_text="shares")
    prev_close = amount("₹, as published; not adjusted on ex-dates")
    last_price = amount("₹, last trade")
    vwap = amount("₹, volume-weighted average price")
    turnover_lakh = amount("₹ lakh")
    trades = models.BigIntegerField(null=True, help_text="number of trades")
    delivered_quantity = models.BigIntegerField(null=True, help_text="shares delivered")
    source = models.CharField(max_length=60, help_text="provider and kind of file")
    status = models.CharField(max_length=12, choices=Status, default=Status.FINAL, db_default=Status.FINAL)
    run_id = models.CharField(max_length=64, null=True, help_text="run that inserted the row")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "historical_data"
        constraints = (
            models.UniqueConstraint(fields=("symbol", "date"), name="historical_data_symbol_date"),
            models.CheckConstraint(
                condition=models.Q(low__gt=0, high__gte=models.F("low"), high__lt=1e9, volume__gte=0),
                name="historical_data_sane",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    open__gte=models.F("low"),
                    open__lte=models.F("high"),
                    close__gte=models.F("low"),
                    close__lte=models.F("high"),
                ),
                name="historical_data_inside_range",
            ),
        )
        indexes = (models.Index(fields=("date", "symbol"), name="idx_hist_date_symbol"),)

    def __str__(self) -> str:
        return f"{self.symbol_id} {self.date}"


class TechnicalIndicator(models.Model):
    """Indicators of one bar, in that day's own rupees; NULL until warm. A stored row never changes afterwards."""

    symbol = symbol_key()
    date = models.DateField()
    rsi_14 = amount("0-100")
    macd = amount("₹")
    signal_line = amount("₹")
    macd_histogram = amount("₹")
    sma_20 = amount("₹")
    sma_50 = amount("₹")
    sma_200 = amount("₹")
    ema_12 = amount("₹")
    ema_26 = amount("₹")
    atr_14 = amount("₹")
    atr_percentage = amount("percent of the close")
    bollinger_upper = amount("₹")
    bollinger_middle = amount("₹")
    bollinger_lower = amount("₹")
    run_id = models.CharField(max_length=64, null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "technical_indicators"
        constraints = (
            models.UniqueConstraint(fields=("symbol", "date"), name="technical_indicators_symbol_date"),
            models.CheckConstraint(condition=models.Q(rsi_14__gte=0, rsi_14__lte=100), name="technical_indicators_rsi"),
        )
        indexes = (models.Index(fields=("date", "symbol"), name="idx_tech_date_symbol"),)

    def __str__(self) -> str:
        return f"{self.symbol_id} {self.date}"


class Quote(models.Model):
    """A price seen during the session; never mixed with daily bars."""

    symbol = symbol_key()
    at = models.DateTimeField()
    last_price = amount("₹")
    volume = models.BigIntegerField(null=True, help_text="shares traded so far")
    source = models.CharField(max_length=60)

    class Meta:
        db_table = "quotes"
        constraints = (models.UniqueConstraint(fields=("symbol", "at"), name="quotes_symbol_at"),)

    def __str__(self) -> str:
        return f"{self.symbol_id} {self.at}"


class MarketDay(models.Model):
    """A calendar day on which the exchange opened, or should have: the only source of what a session is."""

    class Kind(models.TextChoices):
        NORMAL = "normal", "Normal session"
        MUHURAT = "muhurat", "Muhurat session"
        SPECIAL = "special", "Special session"
        DRILL = "drill", "Test session"
        HOLIDAY = "holiday", "Holiday"

    date = models.DateField(primary_key=True)
    kind = models.CharField(max_length=8, choices=Kind)
    is_session = models.BooleanField(help_text="whether it counts as a session")
    open = models.TimeField(null=True, blank=True, help_text="IST")
    close = models.TimeField(null=True, blank=True, help_text="IST")
    source = models.CharField(max_length=60)

    class Meta:
        db_table = "market_days"
        ordering = ("-date",)

    def __str__(self) -> str:
        return f"{self.date} {self.kind}"


class CorporateAction(models.Model):
    """An event that changes what a price means; only those with a factor adjust prices."""

    class Status(models.TextChoices):
        OFFICIAL = "official", "Official"
        INFERRED = "inferred", "Inferred"
        CONFIRMED = "confirmed", "Confirmed"
        REJECTED = "rejected", "Rejected"

    symbol = models.CharField(max_length=50, help_text="the symbol need not be listed (any more)")
    ex_date = models.DateField()
    kind = models.CharField(
        max_length=20, help_text="split, bonus, consolidation, dividend, rights, demerger, capital_reduction, other"
    )
    factor = amount(
        "ratio, multiplies prices of earlier sessions; NULL where the event moves no price by a known ratio"
    )
    known_on = models.DateField(help_text="first day on which it may be used")
    status = models.CharField(max_length=10, choices=Status)
    purpose = models.CharField(max_length=300, blank=True, help_text="as published")
    source = models.CharField(max_length=60)
    evidence = models.JSONField(null=True, blank=True)
    run_id = models.CharField(max_length=64, null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "corporate_actions"
        ordering = ("-ex_date", "symbol")
        constraints = (
            models.UniqueConstraint(fields=("symbol", "ex_date", "kind", "purpose"), name="corporate_actions_once"),
            models.CheckConstraint(condition=models.Q(factor__gt=0, factor__lt=1000), name="corporate_actions_factor"),
        )

    def __str__(self) -> str:
        return f"{self.symbol} {self.kind} {self.ex_date}"


class SourceFile(models.Model):
    """The file a session's bars were read from, so that a revised one is noticed."""

    session = models.DateField(unique=True)
    name = models.CharField(max_length=200)
    size = models.BigIntegerField(help_text="bytes")
    mtime_ns = models.BigIntegerField(help_text="modification time, nanoseconds")
    sha256 = models.CharField(max_length=64)
    rows = models.IntegerField(help_text="bars taken")
    rejected = models.IntegerField(help_text="rows kept aside")
    run_id = models.CharField(max_length=64, null=True)
    read_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "source_files"
        ordering = ("-session",)

    def __str__(self) -> str:
        return self.name


class PipelineRun(models.Model):
    """One run of one job; `pipeline_execution_tracking` holds its steps."""

    class Status(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Running"
        COMPLETED = "completed", "Completed"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"
        SKIPPED = "skipped", "Skipped"
        ROLLED_BACK = "rolled_back", "Rolled back"

    ACTIVE = (Status.WAITING, Status.RUNNING)

    id = models.CharField(primary_key=True, max_length=64, help_text="job_YYYYMMDD_HHMMSS, IST")
    sequence = models.BigIntegerField(unique=True, help_text="order of creation")
    job = models.CharField(max_length=40)
    session = models.DateField(null=True, blank=True, help_text="the session it stands for")
    provider = models.CharField(max_length=40, blank=True)
    provider_kind = models.CharField(max_length=12, help_text="real or simulated")
    triggered_by = models.CharField(max_length=100, help_text="schedule, command, or who pressed the button")
    intended_at = models.DateTimeField(null=True, blank=True, help_text="planned time")
    status = models.CharField(max_length=12, choices=Status, default=Status.WAITING)
    waits_for = models.JSONField(
        default=list, blank=True, help_text="jobs of the same session that must complete first"
    )
    aliases = models.JSONField(default=list, blank=True, help_text="other ids of this run (retry_…)")
    options = models.JSONField(default=dict, blank=True)
    summary = models.JSONField(default=dict, blank=True, help_text="figures for the summary screen")
    is_replay = models.BooleanField(default=False, help_text="for an older session: writes only its own report")
    reason = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "pipeline_runs"
        ordering = ("-sequence",)
        constraints = (
            models.UniqueConstraint(
                fields=("job",), condition=models.Q(status__in=("waiting", "running")), name="pipeline_runs_one_active"
            ),
        )
        indexes = (models.Index(fields=("job", "session", "status"), name="idx_runs_job_session"),)

    def __str__(self) -> str:
        return self.id


class PipelineStep(models.Model):
    """The state of one step of one run: this row *is* the saga's state."""

    class Status(models.TextChoices):
        PENDING = "pending", "Pending"
        RUNNING = "running", "Running"
        COMPLETED = "completed", "Completed"
        FAILED = "failed", "Failed"
        ERRORED = "errored", "Errored"

    run = models.ForeignKey(PipelineRun, models.CASCADE, related_name="steps")
    name = models.CharField(max_length=40)
    order = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0, help_text="grows with each claim; an older holder is refused")
    worker = models.CharField(max_length=100, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    not_before = models.DateTimeField(null=True, blank=True, help_text="back-off before the next attempt")
    watermark = models.CharField(max_length=100, blank=True, help_text="last chunk committed of a long load")
    records_processed = models.BigIntegerField(default=0)
    progress = models.FloatField(default=0, help_text="0-1")
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    reason = models.TextField(blank=True, help_text="what went wrong and what to do")
    traceback = models.TextField(blank=True)
    log_lines = models.JSONField(default=list, blank=True)

    class Meta:
        db_table = "pipeline_execution_tracking"
        ordering = ("run", "order")
        constraints = (
            models.UniqueConstraint(fields=("run", "name"), name="pipeline_steps_run_name"),
            models.CheckConstraint(
                condition=models.Q(progress__gte=0, progress__lte=1), name="pipeline_steps_progress"
            ),
        )
        indexes = (models.Index(fields=("status", "lease_until"), name="idx_steps_status_lease"),)

    def __str__(self) -> str:
        return f"{self.run_id} {self.name}"


class RunUndo(models.Model):
    """A row as it was before a run overwrote or deleted it; kept for the last ten nights."""

    run_id = models.CharField(max_length=64)
    table_name = models.CharField(max_length=63)
    row_image = models.JSONField()

    class Meta:
        db_table = "run_undo"
        indexes = (models.Index(fields=("run_id", "table_name"), name="idx_undo_run"),)

    def __str__(self) -> str:
        return f"{self.run_id} {self.table_name}"


class RejectedRow(models.Model):
    """A row of a source that was not taken, with the reason."""

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
    """Something the checks found wrong or missing; a blocking one keeps its symbol, or the day, out of the picks."""

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


class TableTotal(models.Model):
    """Totals that the writers keep, so that no page has to count a big table."""

    table_name = models.CharField(primary_key=True, max_length=63)
    rows = models.BigIntegerField(default=0)
    symbols = models.IntegerField(default=0)
    latest_date = models.DateField(null=True)
    updated_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "table_totals"

    def __str__(self) -> str:
        return self.table_name


class Heartbeat(models.Model):
    """When a cluster last finished its minute task; its age tells a frozen cluster."""

    cluster = models.CharField(primary_key=True, max_length=40)
    finished_at = models.DateTimeField()
    worker = models.CharField(max_length=100, blank=True)

    class Meta:
        db_table = "heartbeats"

    def __str__(self) -> str:
        return self.cluster
