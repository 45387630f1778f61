"""Response shapes of the operators' API, for its OpenAPI description; keys without a value are omitted."""

from typing import Any

from rest_framework import serializers


class StocksStatus(serializers.Serializer[Any]):
    total = serializers.IntegerField()
    with_price = serializers.IntegerField()
    with_market_cap = serializers.IntegerField()
    last_updated = serializers.DateTimeField(required=False)


class TableStatus(serializers.Serializer[Any]):
    """A table with one row per symbol and session."""

    symbols = serializers.IntegerField()
    records = serializers.IntegerField()
    latest_date = serializers.DateField(required=False)


class SnapshotsStatus(serializers.Serializer[Any]):
    """Published picks."""

    total = serializers.IntegerField()
    unique_dates = serializers.IntegerField()
    latest_date = serializers.DateField(required=False)


class ClusterStatus(serializers.Serializer[Any]):
    cluster = serializers.CharField()
    heartbeat_age_seconds = serializers.IntegerField(required=False)
    queued = serializers.IntegerField()
    alive = serializers.BooleanField()


class KeptOutStatus(serializers.Serializer[Any]):
    """Shares that findings keep out of the picks of the latest session."""

    shares = serializers.IntegerField()
    by_check = serializers.DictField(child=serializers.IntegerField(), help_text="number of shares by check")


class FailedTask(serializers.Serializer[Any]):
    """A run that failed or was cancelled, and that no later run of its job has made good."""

    task_id = serializers.CharField()
    job = serializers.CharField()
    status = serializers.CharField(help_text="failed or cancelled")
    start_time = serializers.DateTimeField(required=False)
    end_time = serializers.DateTimeField(required=False)
    session = serializers.DateField(required=False)
    reason = serializers.CharField(required=False)


class SystemStatus(serializers.Serializer[Any]):
    """The state of the system."""

    stocks = StocksStatus()
    historical_data = TableStatus()
    technical_indicators = TableStatus()
    daily_snapshots = SnapshotsStatus()
    latest_session = serializers.DateField(required=False)
    kept_out = KeptOutStatus()
    clusters = ClusterStatus(many=True)
    active_tasks = serializers.ListField(child=serializers.CharField())
    failed_tasks = FailedTask(many=True)


class StatusResponse(serializers.Serializer[Any]):
    success = serializers.BooleanField()
    status = SystemStatus()


class TriggerResponse(serializers.Serializer[Any]):
    success = serializers.BooleanField()
    task_id = serializers.CharField()
    message = serializers.CharField()
    status = serializers.CharField(
        required=False, help_text="`waiting` while another run is at work on the same tables; the message names it."
    )


class TaskStep(serializers.Serializer[Any]):
    name = serializers.CharField()
    status = serializers.CharField(
        help_text="pending, running, completed, failed (a refusal) or errored (an exception)"
    )
    start_time = serializers.DateTimeField(required=False)
    end_time = serializers.DateTimeField(required=False)
    progress = serializers.FloatField(required=False, help_text="0-1, while it runs")
    records = serializers.IntegerField(required=False)
    attempts = serializers.IntegerField(required=False)
    reason = serializers.CharField(required=False)


class Task(serializers.Serializer[Any]):
    """A run, or an evening whose steps are its runs."""

    task_id = serializers.CharField()
    status = serializers.CharField(
        help_text="waiting, running, completed, failed, cancelled, skipped or rolled_back; of `all`, the worst"
    )
    description = serializers.CharField()
    start_time = serializers.DateTimeField(required=False)
    end_time = serializers.DateTimeField(required=False)
    session = serializers.DateField(required=False)
    waits_for = serializers.ListField(child=serializers.CharField(), required=False)
    reason = serializers.CharField(required=False)
    steps = TaskStep(many=True)


class TaskResponse(serializers.Serializer[Any]):
    success = serializers.BooleanField()
    task = Task()


class RetryResponse(serializers.Serializer[Any]):
    success = serializers.BooleanField()
    task_id = serializers.CharField()
    message = serializers.CharField()
    failed_steps = serializers.ListField(child=serializers.CharField())
