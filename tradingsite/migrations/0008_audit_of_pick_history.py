"""The history of the lists' places is audited like what runs write."""

from django.db import migrations

from tradingsite.audit.triggers import statement_trigger, truncate_trigger

_TABLES = ("pick_history", "pick_history_days")


class Migration(migrations.Migration):
    dependencies = [
        ("tradingsite", "0007_audit_of_champions"),
        ("ml", "0007_history_of_places"),
    ]

    operations = [
        migrations.RunSQL(
            [trigger(table) for table in _TABLES for trigger in (statement_trigger, truncate_trigger)],
            [f"DROP TRIGGER {name} ON {table}" for table in _TABLES for name in ("audit", "audit_truncate")],
        ),
    ]
