"""The phases of the trading day are audited like its calendar."""

from django.db import migrations

from tradingsite.audit.triggers import BY_A_PERSON, row_trigger, truncate_trigger


class Migration(migrations.Migration):
    dependencies = [
        ("tradingsite", "0011_audit_of_trading_limits"),
        ("market_data", "0021_built_in_phases"),
    ]

    operations = [
        migrations.RunSQL(
            [row_trigger("trading_phases", when=BY_A_PERSON), truncate_trigger("trading_phases")],
            ["DROP TRIGGER audit ON trading_phases", "DROP TRIGGER audit_truncate ON trading_phases"],
        ),
    ]
