"""Who enrols, removes or fails at a second factor is audited; its secret and its recovery codes are not shown."""

from django.db import migrations

from tradingsite.audit.triggers import row_trigger, truncate_trigger


class Migration(migrations.Migration):
    dependencies = [
        ("tradingsite", "0014_audit_of_accounts_and_orders"),
        ("portfolio", "0014_second_factors"),
    ]

    operations = [
        migrations.RunSQL(
            [
                row_trigger("second_factors", ignored=("last_step",), secrets=("secret",)),
                row_trigger("recovery_codes", secrets=("digest",)),
                truncate_trigger("second_factors"),
                truncate_trigger("recovery_codes"),
            ],
            [
                f"DROP TRIGGER {name} ON {table}"
                for table in ("second_factors", "recovery_codes")
                for name in ("audit", "audit_truncate")
            ],
        )
    ]
