"""The coverage of the calendar is audited like its days."""

from django.db import migrations

from tradingsite.audit.triggers import BY_A_PERSON, row_trigger, truncate_trigger


class Migration(migrations.Migration):
    dependencies = [
        ("tradingsite", "0003_audit_triggers"),
        ("market_data", "0016_calendar_years"),
    ]

    operations = [
        migrations.RunSQL(
            [row_trigger("market_years", key="year", when=BY_A_PERSON), truncate_trigger("market_years")],
            ["DROP TRIGGER audit ON market_years", "DROP TRIGGER audit_truncate ON market_years"],
        ),
    ]
