"""Trained models and their evaluations."""

from django.db import models
from django.db.models.functions import Now


class TrainedModel(models.Model):
    """A fitted bundle (price and risk model, calibration) on disk, with its training data and metrics."""

    class Status(models.TextChoices):
        ACCEPTED = "accepted", "Accepted"
        REJECTED = "rejected", "Rejected"

    id = models.CharField(primary_key=True, max_length=100, help_text="estimator_session_hash")
    estimator = models.CharField(max_length=40, help_text="name in the registry of estimators")
    session = models.DateField(help_text="last session whose facts were used")
    train_from = models.DateField()
    train_until = models.DateField(help_text="last session with a label")
    samples = models.BigIntegerField()
    features = models.JSONField(default=list)
    parameters = models.JSONField(default=dict)
    metrics = models.JSONField(default=dict, help_text="out-of-sample figures of the fit's own folds")
    data_hash = models.CharField(max_length=64)
    path = models.CharField(max_length=300, help_text="folder below MODELS_DIR")
    files = models.JSONField(default=dict, help_text="file → SHA-256")
    status = models.CharField(max_length=10, choices=Status)
    reason = models.TextField(blank=True)
    run_id = models.CharField(max_length=64, null=True, blank=True)
    trained_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "trained_models"
        ordering = ("-session", "-trained_at")
        indexes = (models.Index(fields=("estimator", "status", "-session"), name="idx_models_estimator"),)

    def __str__(self) -> str:
        return self.id


class Evaluation(models.Model):
    """A walk-forward report: out-of-sample figures of models, baselines and controls."""

    as_of = models.DateField(help_text="last session of the data")
    estimator = models.CharField(max_length=40)
    first_test = models.DateField()
    last_test = models.DateField()
    data_hash = models.CharField(max_length=64)
    parameters = models.JSONField(default=dict)
    report = models.JSONField(help_text="figure tables: rank IC with interval, by year, controls")
    seconds = models.FloatField(help_text="seconds of computation")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "evaluations"
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.estimator} {self.as_of}"
