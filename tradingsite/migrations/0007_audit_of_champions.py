"""Changes of the champion are audited when a person makes them; a run's own rows carry its id."""

from django.db import migrations

from tradingsite.audit.triggers import BY_A_PERSON, row_trigger, truncate_trigger


class Migration(migrations.Migration):
    dependencies = [
        ("tradingsite", "0006_audit_of_predictions"),
        ("ml", "0005_champions_and_versions_of_software"),
    ]

    operations = [
        migrations.RunSQL(
            [row_trigger("champion_changes", when=BY_A_PERSON), truncate_trigger("champion_changes")],
            ["DROP TRIGGER audit ON champion_changes", "DROP TRIGGER audit_truncate ON champion_changes"],
        ),
    ]
