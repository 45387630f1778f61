"""Stored predictions are audited like what runs write."""

from django.db import migrations

from tradingsite.audit.triggers import statement_trigger, truncate_trigger


class Migration(migrations.Migration):
    dependencies = [
        ("tradingsite", "0005_audit_of_outcomes"),
        ("ml", "0004_predictions_of_every_session"),
    ]

    operations = [
        migrations.RunSQL(
            [statement_trigger("predictions"), truncate_trigger("predictions")],
            ["DROP TRIGGER audit ON predictions", "DROP TRIGGER audit_truncate ON predictions"],
        ),
    ]
