"""People are deactivated, never deleted, and one superuser stays active: whatever program writes to the table.

The advisory lock makes two who deactivate each other at once wait, so that the second one finds the first one's row.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

TRIGGERS = """
CREATE FUNCTION keep_people() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'The user % cannot be deleted, because history names people: deactivate the account instead.',
            OLD.username USING ERRCODE = 'restrict_violation';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('the last active superuser'));
    IF NOT EXISTS (SELECT FROM users WHERE is_superuser AND is_active AND id <> OLD.id) THEN
        RAISE EXCEPTION '% is the last active superuser: make another superuser first.', OLD.username
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER users_are_kept BEFORE DELETE ON users FOR EACH ROW EXECUTE FUNCTION keep_people();
CREATE TRIGGER users_keep_a_superuser BEFORE UPDATE OF is_active, is_superuser ON users FOR EACH ROW
    WHEN (OLD.is_superuser AND OLD.is_active AND NOT (NEW.is_superuser AND NEW.is_active))
    EXECUTE FUNCTION keep_people();
"""
NO_TRIGGERS = """
DROP TRIGGER users_are_kept ON users;
DROP TRIGGER users_keep_a_superuser ON users;
DROP FUNCTION keep_people();
"""


class Migration(migrations.Migration):
    dependencies = [("portfolio", "0004_strategy_kinds_of_the_registry")]
    operations = [
        migrations.AlterField(
            model_name="strategy",
            name="owner",
            field=models.ForeignKey(
                blank=True,
                help_text="empty: a system row",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.RunSQL(TRIGGERS, NO_TRIGGERS),
    ]
