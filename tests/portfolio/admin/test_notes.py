"""Contract notes in the admin: imported once, shown beside what was computed, never changed, one's own alone."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, transaction
from django.test import Client

from brokers.files.contract_notes import LINES
from brokers.models import ImportedNote
from tests.brokers.files.test_contract_notes import STATED, note_file

pytestmark = pytest.mark.django_db
BASE = "/admin/brokers/importednote"


def clerk(name: str, *rights: str) -> Client:
    user = get_user_model().objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=[f"{right}_importednote" for right in rights]))
    client = Client()
    client.force_login(user)
    return client


def sent(client: Client, content: str) -> Any:
    file = SimpleUploadedFile("note.csv", content.encode())
    return client.post(f"{BASE}/import/", {"broker": "zerodha", "session": "2026-04-30", "file": file})


def test_a_note_is_stored_once_and_shows_its_differences():
    client = clerk("asha", "add", "view")
    assert f"{BASE}/import/" in client.get(f"{BASE}/").content.decode()
    answer = sent(client, note_file(stamp_duty="4.00", ipft="0.00", total="24.72"))
    note = ImportedNote.objects.get()
    assert answer["Location"] == f"{BASE}/{note.pk}/change/"
    assert (note.user.username, note.broker, str(note.session), note.number) == (
        "asha",
        "zerodha",
        "2026-04-30",
        "CN-1",
    )
    assert note.stated == STATED | {"stamp_duty": "4.00", "ipft": "0.00", "total": "24.72"}
    assert note.computed == STATED
    assert note.differing == 3
    assert [(fill["symbol"], fill["quantity"], fill["price"]) for fill in note.fills] == [("ACME", 100, "200")]
    html = client.get(answer["Location"]).content.decode()
    for text in ("differs by ₹1.00", "differs by −₹0.02", "differs by ₹0.98", "ACME"):
        assert text in html
    assert html.count("<td>equal</td>") == len(LINES) - 3
    again = sent(client, note_file()).content.decode()
    assert "The note CN-1 of zerodha of 2026-04-30 is stored already" in again
    assert ImportedNote.objects.get().stated == note.stated


def test_a_bad_file_is_named_and_stores_nothing():
    client = clerk("asha", "add", "view")
    assert "The line gst is missing" in sent(client, note_file(gst=None)).content.decode()
    assert not ImportedNote.objects.exists()


def test_who_may_import_and_whose_notes_are_whose():
    asha, omar, looker = clerk("asha", "add", "view"), clerk("omar", "add", "view"), clerk("lila", "view")
    sent(asha, note_file())
    assert sent(omar, note_file()).status_code == 302  # a number is each person's own
    assert sent(looker, note_file()).status_code == 403
    assert f"{BASE}/import/" not in looker.get(f"{BASE}/").content.decode()
    others = ImportedNote.objects.get(user__username="asha")
    assert omar.get(f"{BASE}/{others.pk}/change/").status_code == 302  # as if it did not exist
    assert "asha" not in omar.get(f"{BASE}/").content.decode()


def test_a_stored_note_is_never_changed():
    sent(clerk("asha", "add"), note_file())
    for change in (lambda: ImportedNote.objects.update(number="X"), lambda: ImportedNote.objects.all().delete()):
        with pytest.raises(DatabaseError, match="only ever added to"), transaction.atomic():
            change()
