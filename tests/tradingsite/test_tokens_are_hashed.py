"""The tokens of before: each program goes on with the key that it has, and that key is nowhere to be read."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command, get_commands
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import Client
from pytest_django import DjangoDbBlocker

from portfolio.models import ApiToken, Scope, User
from portfolio.tokens import token_of
from tests.accounts import live_account, paper_account
from tradingsite.backup import creation, databases, restoration
from tradingsite.backup.archive import ArchiveReader

BEFORE = ("tradingsite", "0015_audit_of_second_factors")
KEY = "9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b"
AT = datetime(2026, 4, 30, 12, tzinfo=UTC)
STORED = "INSERT INTO authtoken_token (key, created, user_id) SELECT %s, %s, id FROM users WHERE username = 'asha'"
RIGHTS = """
INSERT INTO django_content_type (app_label, model) VALUES ('authtoken', 'token') ON CONFLICT DO NOTHING;
INSERT INTO auth_permission (codename, name, content_type_id)
    SELECT 'add_token', 'Can add Token', id FROM django_content_type WHERE app_label = 'authtoken' AND model = 'token';
INSERT INTO auth_group_permissions (group_id, permission_id) SELECT g.id, p.id FROM auth_group g, auth_permission p
    WHERE p.codename IN ('add_token', 'add_tokenproxy');
"""


@pytest.fixture
def _databases_of_its_own(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield


@pytest.fixture
def _forward() -> Iterator[None]:
    yield
    call_command("migrate", verbosity=0)


def texts_of_all_tables() -> str:
    """Every row of every table of the schema, as one text."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()")
        texts = []
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT string_agg(t::text, E'\\n') FROM \"{table}\" t")
            texts += cursor.fetchone()
    return "\n".join(text for text in texts if text)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_forward")
def test_an_upgrade_keeps_tokens_and_rights_and_no_key() -> None:
    asha, group = User.objects.create_superuser("asha"), Group.objects.create(name="programs")
    paper, live = paper_account(asha), live_account(asha)
    MigrationExecutor(connection).migrate([BEFORE])
    with connection.cursor() as cursor:
        cursor.execute(STORED, [KEY, AT])
        cursor.execute(RIGHTS)
    assert KEY in texts_of_all_tables()
    call_command("migrate", verbosity=0)

    [token] = ApiToken.objects.all()
    assert (token.user, token.prefix, token.scopes) == (asha, KEY[:8], Scope.values)
    assert (token.created_at, token.expires_at, token_of(KEY)) == (AT, None, token)
    everything = texts_of_all_tables()
    assert KEY[:8] in everything
    assert not [part for part in (KEY, KEY[8:], KEY[:20]) if part in everything]
    assert [right.codename for right in group.permissions.all()] == ["add_apitoken"]
    assert not ContentType.objects.filter(app_label="authtoken").exists()

    client = Client(headers={"Authorization": f"Token {KEY}"})
    for address in ("/api/suggested-stocks/", f"/api/accounts/{paper.pk}/", "/admin/system/status"):
        assert client.get(address).status_code == 200
    orders = {account: f"/api/accounts/{account.pk}/orders/" for account in (paper, live)}
    assert [client.post(orders[each]).status_code for each in (paper, live)] == [400, 403]


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_databases_of_its_own")
def test_a_back_up_of_before_is_restored_without_its_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "old.backup.zip"
    with databases.scratch_database(connection) as old:
        executor = MigrationExecutor(old)
        leaves = [key for key in executor.loader.graph.leaf_nodes() if key[0] not in ("tradingsite", "portfolio")]
        executor.migrate([*leaves, BEFORE])
        with old.cursor() as cursor:
            cursor.execute(
                "INSERT INTO users (username, password, is_superuser, first_name, last_name, email, is_staff,"
                " is_active, date_joined) VALUES ('asha', '!', false, '', '', '', false, true, now())"
            )
            cursor.execute(STORED, [KEY, AT])
            cursor.execute(
                "INSERT INTO django_migrations (app, name, applied) VALUES ('authtoken', '0001_initial', now())"
            )
        names = [*old.introspection.django_table_names(only_existing=True), "authtoken_token"]
        monkeypatch.setattr(old.introspection, "django_table_names", lambda *_, **__: names)
        creation.create_backup(path, AT, database=old)
    archive = ArchiveReader(path)
    assert KEY.encode() in archive.content("tables/authtoken_token")
    with databases.scratch_database(connection) as new:
        restoration.check_compatible(archive, new)
        restoration.restore_backup(archive, new, lambda line: None)
        with new.cursor() as cursor:
            cursor.execute("SELECT user_id, prefix, length(digest) FROM api_tokens")
            assert cursor.fetchall() == [(1, KEY[:8], 64)]
            cursor.execute("SELECT to_regclass('authtoken_token')")
            assert cursor.fetchone() == (None,)


def test_nothing_of_the_frameworks_own_tokens_is_left() -> None:
    assert (apps.is_installed("rest_framework.authtoken"), "drf_create_token" in get_commands()) == (False, False)
