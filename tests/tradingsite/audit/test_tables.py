"""Every table of the database is audited, or has its reason here why not."""

import pytest
from django.db import connection

pytestmark = pytest.mark.django_db

NOT_AUDITED = {
    "audit_log": "the audit itself, which is only added to",
    "alert_deliveries": "the alerts' own state; nobody changes it",
    "alert_timers": "the alerts' own state; nobody changes it",
    "axes_accessattemptexpiration": "belongs to an attempt, whose deletion is audited",
    "broker_calls": "the limiter's own count of the last two days' calls",
    "broker_log_ins": "single-use log-ins of ten minutes; what one stores in an account is audited",
    "django_content_type": "names of tables, written by migrations",
    "django_migrations": "a record of its own",
    "django_q_ormq": "the queue: holds ids of runs, whose starts are audited",
    "django_q_task": "results of the queue's tasks, which decide nothing",
    "django_session": "log-ins, which are in axes_accesslog",
    "heartbeats": "the clusters' signs of life",
    "step_attempts": "the engine's own log of its work at the steps, which are audited",
    "troubles": "the alerts' own state; nobody changes it",
}


def tables(query: str) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return {name for (name,) in cursor.fetchall()}


def test_no_table_is_forgotten():
    triggers = "SELECT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal AND tgname = "
    every = tables("SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()")
    audited, emptied = tables(f"{triggers} 'audit'"), tables(f"{triggers} 'audit_truncate'")
    assert audited == emptied
    assert every - audited == NOT_AUDITED.keys()


def test_every_secret_column_is_masked():
    """A column of credentials is named to its table's trigger, so that only its change is recorded."""
    from django.apps import apps

    from brokers.models import SealedField

    secret = {
        (model._meta.db_table, field.column)
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, SealedField) or (model._meta.db_table, field.column) in PLAIN_SECRETS
    }
    for table, column in secret:
        definitions = tables(
            f"SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = '{table}'::regclass AND tgname = 'audit'"
        )
        [definition] = definitions
        masked = definition.rpartition("audit_row(")[2].split("'")[5].split(",")
        assert column in masked, f"{table}.{column}"
    assert len(secret) >= 4


PLAIN_SECRETS = {("users", "password"), ("api_tokens", "digest")}
