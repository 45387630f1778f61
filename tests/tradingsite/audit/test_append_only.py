"""The audit is only added to, by whoever connects; nobody chooses under whose name."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.db import ProgrammingError, connection, transaction
from pytest_django import DjangoDbBlocker

from portfolio.models import Strategy
from tradingsite.audit.acts import record_act
from tradingsite.backup import creation, databases, restoration
from tradingsite.backup.archive import ArchiveReader
from tradingsite.models import AuditEntry

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET actor = 'asha'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "TRUNCATE audit_log CASCADE",
    ],
)
def test_changes_are_refused_with_a_sentence(statement):
    Strategy.objects.create(name="Mine", kind="growth")
    count = AuditEntry.objects.count()
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('audit.maintenance', '', true)")
        with pytest.raises(ProgrammingError, match="The audit is only ever added to"), transaction.atomic():
            cursor.execute(statement)
    assert AuditEntry.objects.count() == count > 0


def test_the_orm_is_refused_too():
    record_act("export")
    entry = AuditEntry.objects.latest("id")
    for change in (entry.delete, entry.save, AuditEntry.objects.all().delete):
        with pytest.raises(ProgrammingError, match="only ever added to"), transaction.atomic():
            change()


def test_who_and_when_is_the_databases_answer():
    entry = AuditEntry.objects.create(
        act="export", actor="somebody else", channel="page", address="203.0.113.1", at="2020-01-01T00:00Z"
    )
    entry.refresh_from_db()
    assert (entry.actor, entry.channel, entry.address) == ("", "system", "")
    assert entry.at.year > 2020


ENTRIES = (
    "SELECT id, at, channel, actor, account, path, act, table_name, row_id, before, after FROM audit_log ORDER BY id"
)


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_a_restoration_brings_the_audit_along_and_adds_itself(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    strategy = Strategy.objects.create(name="Mine", kind="growth")
    Strategy.objects.filter(pk=strategy.pk).update(kind="value")
    path = tmp_path / "a.backup.zip"
    creation.create_backup(path, datetime(2026, 5, 4, 22, 30, tzinfo=UTC))
    with connection.cursor() as cursor:
        cursor.execute(ENTRIES)
        before = cursor.fetchall()
    with django_db_blocker.unblock(), databases.scratch_database(connection) as other, other.cursor() as cursor:
        restoration.restore_backup(ArchiveReader(path), other, lambda line: None)
        cursor.execute(ENTRIES)
        *kept, (number, at, *_, act, table, row, _, after) = cursor.fetchall()
        assert kept == before
        details = json.loads(after)
        assert (act, table, row, details["file"]) == ("restore", "", "", str(path))
        assert details["signature"] == "signed by one of our keys"
        assert number > max(entry[0] for entry in before)
        assert at > max(entry[1] for entry in before)
        cursor.execute("SET audit.maintenance = ''")  # as everywhere but in tests
        for statement in ("DELETE FROM audit_log", "TRUNCATE audit_log"):
            with pytest.raises(ProgrammingError, match="only ever added to"):
                cursor.execute(statement)
        cursor.execute("UPDATE strategies SET kind = 'growth' WHERE name = 'Mine'")
        cursor.execute("SELECT table_name, before, after FROM audit_log ORDER BY id DESC LIMIT 1")
        [(table, *values)] = cursor.fetchall()
        assert (table, *values) == ("strategies", '{"kind": "value"}', '{"kind": "growth"}')
