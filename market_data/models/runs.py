"""The state of runs and their steps, before-images, evening holds, table totals and heartbeats."""

from django.db import models
from django.db.models.functions import Now


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
    first_commit = models.BigIntegerField(null=True, blank=True, help_text="number of its first commit")
    last_commit = models.BigIntegerField(
        null=True, blank=True, db_index=True, help_text="number of its last commit: the order of rollbacks"
    )
    job = models.CharField(max_length=40)
    session = models.DateField(null=True, blank=True, help_text="the session the run stands for")
    provider = models.CharField(max_length=40, blank=True)
    provider_kind = models.CharField(max_length=12, help_text="real or simulated")
    triggered_by = models.CharField(max_length=100, help_text="schedule, command, or the user")
    intended_at = models.DateTimeField(null=True, blank=True, help_text="planned time")
    status = models.CharField(max_length=12, choices=Status, default=Status.WAITING)
    waits_for = models.JSONField(default=list, blank=True, help_text="prerequisites: jobs, runs or conditions, as text")
    aliases = models.JSONField(default=list, blank=True, help_text="other ids of this run (retry_…)")
    options = models.JSONField(default=dict, blank=True)
    summary = models.JSONField(default=dict, blank=True, help_text="figures for the summary screen")
    is_replay = models.BooleanField(default=False, help_text="for an older session: only reports")
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
    attempts = models.PositiveIntegerField(default=0, help_text="how often it was begun")
    fruitless_attempts = models.PositiveIntegerField(
        default=0, db_default=0, help_text="since it last committed something or was retried; limited"
    )
    fence = models.PositiveIntegerField(default=0, help_text="grows with each claim; an older owner is refused")
    worker = models.CharField(max_length=200, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    not_before = models.DateTimeField(null=True, blank=True, help_text="back-off before the next attempt")
    watermark = models.CharField(max_length=100, blank=True, help_text="last chunk committed of a long load")
    records_processed = models.BigIntegerField(default=0)
    progress = models.FloatField(default=0, help_text="0-1")
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    reason = models.TextField(blank=True, help_text="what went wrong and what to do")
    runbook = models.TextField(
        blank=True, default="", db_default="", help_text="key of the entry in docs/RUNBOOK.md that helps"
    )
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


class StepAttempt(models.Model):
    """One attempt at a step, from the claim by a worker to its end."""

    class Outcome(models.TextChoices):
        RUNNING = "running", "At work"
        COMPLETED = "completed", "Completed"
        WAITED = "waited", "Not yet possible"
        POSTPONED = "postponed", "Postponed"
        FAILED = "failed", "Failed"
        ERRORED = "errored", "Errored"
        CANCELLED = "cancelled", "Cancelled"
        LOST = "lost", "Worker lost"

    step = models.ForeignKey(PipelineStep, models.CASCADE, related_name="attempt_log")
    number = models.PositiveIntegerField(help_text="of the step's attempts, from 1")
    fence = models.PositiveIntegerField(help_text="that the claim gave the step")
    worker = models.CharField(max_length=200, blank=True)
    started_at = models.DateTimeField(db_default=Now())
    renewed_at = models.DateTimeField(db_default=Now(), help_text="last sign of life of its worker")
    ended_at = models.DateTimeField(null=True, blank=True, help_text="of a lost worker: its last sign of life")
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.RUNNING)
    reason = models.TextField(blank=True)
    traceback = models.TextField(blank=True)
    log_lines = models.JSONField(default=list, blank=True)

    class Meta:
        db_table = "step_attempts"
        ordering = ("step", "number")
        constraints = (
            models.UniqueConstraint(fields=("step", "number"), name="step_attempts_number"),
            models.UniqueConstraint(
                fields=("step",), condition=models.Q(ended_at=None), name="step_attempts_one_at_work"
            ),
        )
        indexes = (models.Index(fields=("ended_at",), name="idx_attempts_ended"),)

    def __str__(self) -> str:
        return f"{self.step} attempt {self.number}"


class EveningHold(models.Model):
    """Keeps the planned runs of a session waiting until an operator releases it; triggered runs still start."""

    session = models.DateField(help_text="the evening's session")
    held_by = models.CharField(max_length=150)
    held_at = models.DateTimeField(db_default=Now())
    reason = models.TextField(blank=True)
    released_by = models.CharField(max_length=150, blank=True)
    released_at = models.DateTimeField(null=True, blank=True, help_text="empty: in force")

    class Meta:
        db_table = "evening_holds"
        ordering = ("-held_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("session",), condition=models.Q(released_at=None), name="evening_holds_one_in_force"
            ),
        )

    def __str__(self) -> str:
        return f"{self.session} held by {self.held_by}"


class RunUndo(models.Model):
    """The before-image of a row that a run overwrote or deleted; kept for the last ten nights."""

    run_id = models.CharField(max_length=64)
    table_name = models.CharField(max_length=63)
    row_image = models.JSONField()

    class Meta:
        db_table = "run_undo"
        indexes = (models.Index(fields=("run_id", "table_name"), name="idx_undo_run"),)

    def __str__(self) -> str:
        return f"{self.run_id} {self.table_name}"


class TableTotal(models.Model):
    """Totals maintained by the writers, so that no page has to count a big table."""

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
    """When a cluster last finished its minutely task; an old one reveals a stuck cluster."""

    cluster = models.CharField(primary_key=True, max_length=40)
    finished_at = models.DateTimeField()
    worker = models.CharField(max_length=200, blank=True)

    class Meta:
        db_table = "heartbeats"

    def __str__(self) -> str:
        return self.cluster
