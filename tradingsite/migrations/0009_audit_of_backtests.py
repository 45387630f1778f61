"""Who asks for a backtest, cancels it or changes what was computed; what its worker writes is nobody's act."""

from django.db import migrations

from tradingsite.audit.triggers import BY_A_PERSON, row_trigger, truncate_trigger

_WORKERS = ("content", "progress", "worker", "attempts", "fence", "lease_until")
"""What the worker writes: the content is hundreds of kilobytes, which its hash names."""


class Migration(migrations.Migration):
    dependencies = [
        ("tradingsite", "0008_audit_of_pick_history"),
        ("portfolio", "0006_backtests"),
    ]

    operations = [
        migrations.RunSQL(
            [row_trigger("backtests", ignored=_WORKERS, when=BY_A_PERSON), truncate_trigger("backtests")],
            [f"DROP TRIGGER {name} ON backtests" for name in ("audit", "audit_truncate")],
        ),
    ]
