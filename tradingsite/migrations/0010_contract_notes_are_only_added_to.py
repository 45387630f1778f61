"""Imported contract notes are audited; the database refuses any change, and only a restoration may replace them."""

from django.db import migrations

from tradingsite.audit.triggers import row_trigger, truncate_trigger

_REFUSAL = """
CREATE FUNCTION refuse_change_of_notes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    maintenance text := coalesce(current_setting('audit.maintenance', true), '');
BEGIN
    IF maintenance = 'restore' OR (TG_OP = 'TRUNCATE' AND maintenance = 'tests') THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'Contract notes are only ever added to: % was refused.', TG_OP
        USING ERRCODE = 'insufficient_privilege', HINT = 'Import the corrected note under a number of its own.';
END
$$;
CREATE TRIGGER only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON contract_notes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_notes();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("tradingsite", "0009_audit_of_backtests"),
        ("brokers", "0005_imported_contract_notes"),
    ]

    operations = [
        migrations.RunSQL(
            [row_trigger("contract_notes", ignored=("fills",)), truncate_trigger("contract_notes"), _REFUSAL],
            [
                "DROP TRIGGER only_added_to ON contract_notes; DROP FUNCTION refuse_change_of_notes()",
                *(f"DROP TRIGGER {name} ON contract_notes" for name in ("audit", "audit_truncate")),
            ],
        ),
    ]
