"""The database refuses any change of an outcome; only a restoration may replace them, and tests may empty them."""

from django.db import migrations

_REFUSAL = """
CREATE FUNCTION refuse_change_of_outcomes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    maintenance text := coalesce(current_setting('audit.maintenance', true), '');
BEGIN
    IF maintenance = 'restore' OR (TG_OP = 'TRUNCATE' AND maintenance = 'tests') THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'Outcomes of picks are only ever added to: % was refused.', TG_OP
        USING ERRCODE = 'insufficient_privilege', HINT = 'A correction is a row with the next version.';
END
$$;
CREATE TRIGGER only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON pick_outcomes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_outcomes();
"""


class Migration(migrations.Migration):
    dependencies = [("ml", "0002_outcomes_of_picks")]

    operations = [
        migrations.RunSQL(
            _REFUSAL, "DROP TRIGGER only_added_to ON pick_outcomes; DROP FUNCTION refuse_change_of_outcomes()"
        ),
    ]
