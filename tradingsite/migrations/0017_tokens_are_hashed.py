"""The tokens of before are hashed: their programs go on, with all scopes and without an end, and no key is left to read.

Rights over tokens stay with whoever had them. Backwards, the table is there again, without tokens.
"""

from django.db import migrations

from tradingsite.audit.triggers import row_trigger, truncate_trigger

_HASH = """
INSERT INTO api_tokens (user_id, name, prefix, digest, scopes, created_at)
SELECT user_id, 'made before tokens had names', left(key, 8), encode(sha256(convert_to(key, 'UTF8')), 'hex'),
    '["read", "portfolio", "trade_paper", "operate"]', created
FROM authtoken_token;
DROP TABLE authtoken_token;
DELETE FROM django_migrations WHERE app = 'authtoken';
"""
_MOVE_RIGHTS = """
UPDATE auth_permission SET codename = replace(codename, '_tokenproxy', '_apitoken'), name = replace(name, 'Token', 'API token')
WHERE content_type_id = (SELECT id FROM django_content_type WHERE app_label = 'authtoken' AND model = 'tokenproxy');
UPDATE django_content_type SET app_label = 'portfolio', model = 'apitoken'
WHERE app_label = 'authtoken' AND model = 'tokenproxy';
DELETE FROM users_user_permissions WHERE permission_id IN (SELECT p.id FROM auth_permission p
    JOIN django_content_type t ON t.id = p.content_type_id WHERE t.app_label = 'authtoken');
DELETE FROM auth_group_permissions WHERE permission_id IN (SELECT p.id FROM auth_permission p
    JOIN django_content_type t ON t.id = p.content_type_id WHERE t.app_label = 'authtoken');
DELETE FROM auth_permission WHERE content_type_id IN (SELECT id FROM django_content_type WHERE app_label = 'authtoken');
UPDATE django_admin_log SET content_type_id = NULL
WHERE content_type_id IN (SELECT id FROM django_content_type WHERE app_label = 'authtoken');
DELETE FROM django_content_type WHERE app_label = 'authtoken';
"""
_BACK = f"""
CREATE TABLE authtoken_token (
    key varchar(40) PRIMARY KEY,
    created timestamptz NOT NULL,
    user_id bigint NOT NULL UNIQUE REFERENCES users (id) DEFERRABLE INITIALLY DEFERRED
);
{row_trigger("authtoken_token", key="key", secrets=("key",))}
{truncate_trigger("authtoken_token")}
INSERT INTO django_migrations (app, name, applied) SELECT 'authtoken', name, now() FROM unnest(ARRAY[
    '0001_initial', '0002_auto_20160226_1747', '0003_tokenproxy', '0004_alter_tokenproxy_options']) AS name;
UPDATE auth_permission SET codename = replace(codename, '_apitoken', '_tokenproxy'), name = replace(name, 'API token', 'Token')
WHERE content_type_id = (SELECT id FROM django_content_type WHERE app_label = 'portfolio' AND model = 'apitoken');
UPDATE django_content_type SET app_label = 'authtoken', model = 'tokenproxy'
WHERE app_label = 'portfolio' AND model = 'apitoken';
"""


class Migration(migrations.Migration):
    dependencies = [
        ("tradingsite", "0016_audit_of_api_tokens"),
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunSQL([_HASH, _MOVE_RIGHTS], [_BACK])]
