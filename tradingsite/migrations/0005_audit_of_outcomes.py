"""Who adds outcomes of picks past the runs is recorded."""

from django.db import migrations

from tradingsite.audit.triggers import statement_trigger, truncate_trigger


class Migration(migrations.Migration):
    dependencies = [
        ("tradingsite", "0004_audit_of_calendar_years"),
        ("ml", "0003_outcomes_are_only_added_to"),
    ]

    operations = [
        migrations.RunSQL(
            [statement_trigger("pick_outcomes"), truncate_trigger("pick_outcomes")],
            ["DROP TRIGGER audit ON pick_outcomes", "DROP TRIGGER audit_truncate ON pick_outcomes"],
        ),
    ]
