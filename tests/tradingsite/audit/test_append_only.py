"""The audit is only added to, by whoever connects; nobody chooses under whose name."""

import pytest
from django.db import ProgrammingError, connection, transaction

from portfolio.models import Strategy
from tradingsite.audit.acts import record_act
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
