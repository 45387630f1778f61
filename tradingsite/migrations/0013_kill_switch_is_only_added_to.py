"""The kill switch is audited; the database refuses any change, and only a restoration may replace rows."""

from django.db import migrations

from tradingsite.audit.triggers import only_added_to, row_trigger, truncate_trigger

_REFUSAL = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    maintenance text := coalesce(current_setting('audit.maintenance', true), '');
BEGIN
    IF maintenance = 'restore' OR (TG_OP = 'TRUNCATE' AND maintenance = 'tests') THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'Rows of % are only ever added to: % was refused.', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege', HINT = TG_ARGV[0];
END
$$;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("tradingsite", "0012_audit_of_trading_phases"),
        ("portfolio", "0007_kill_switch"),
    ]

    operations = [
        migrations.RunSQL(_REFUSAL, "DROP FUNCTION refuse_change()"),
        migrations.RunSQL(
            [
                row_trigger("kill_switch"),
                truncate_trigger("kill_switch"),
                only_added_to("kill_switch", "Switch once more, with a reason."),
            ],
            [f"DROP TRIGGER {name} ON kill_switch" for name in ("audit", "audit_truncate", "only_added_to")],
        ),
    ]
