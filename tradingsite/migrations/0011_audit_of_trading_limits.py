"""Stored trading limits are audited like what runs write."""

from django.db import migrations

from tradingsite.audit.triggers import statement_trigger, truncate_trigger


class Migration(migrations.Migration):
    dependencies = [
        ("tradingsite", "0010_contract_notes_are_only_added_to"),
        ("market_data", "0019_keep_trading_limits"),
    ]

    operations = [
        migrations.RunSQL(
            [statement_trigger("trading_limits"), truncate_trigger("trading_limits")],
            ["DROP TRIGGER audit ON trading_limits", "DROP TRIGGER audit_truncate ON trading_limits"],
        ),
    ]
