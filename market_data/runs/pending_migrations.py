"""Brings the tables up to date before a command works on them: an empty database is a start, not an error."""

from django.core.management import call_command
from django.core.management.base import OutputWrapper
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


def apply_pending_migrations(output: OutputWrapper) -> None:
    """Apply the migrations that are not applied yet and write to `output` that this happens."""
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if pending:
        output.write(f"Bringing the tables up to date ({len(pending)} migrations) …")
        call_command("migrate", verbosity=0, interactive=False)
