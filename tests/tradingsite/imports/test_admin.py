"""The pages of uploaded files: what the form rejects, what the buttons do and for whom."""

import io
import re
import zipfile
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from market_data.imports import parsing
from market_data.models import ImportedFile, MarketDay, PipelineRun
from market_data.runs import engine
from tests.runs import make_run
from tradingsite.operations.views import run_url

pytestmark = pytest.mark.django_db(transaction=True)

ADD = "admin:market_data_importedfile_add"
TEXT = b"date,kind,is_session\n2027-01-26,holiday,no\n2027-03-22,holiday,no\n"


@pytest.fixture
def operator(client):
    client.force_login(get_user_model().objects.create_superuser("operator"))
    MarketDay.objects.create(date="2026-04-30", kind="normal", is_session=True, source="test")
    return client


def upload(client, content: bytes = TEXT, name: str = "days.csv", kind: str = "market_days") -> Any:
    return client.post(reverse(ADD), {"kind": kind, "file": SimpleUploadedFile(name, content)}, follow=True)


def page_of(client, file: ImportedFile, page: str = "change") -> str:
    names = {"args": [file.pk]} if page == "change" else {"kwargs": {"key": file.pk}}
    return reverse(f"admin:market_data_importedfile_{page}", **names)


def test_a_file_is_checked_imported_and_rolled_back(operator):
    assert "The file is being checked" in upload(operator).content.decode()
    file = ImportedFile.objects.get()
    assert operator.get(page_of(operator, file, "progress")).json()["at_work"] is True
    assert engine.advance(file.check_run_id).status == "completed"
    assert operator.get(page_of(operator, file, "progress")).json() == {"at_work": False}
    assert "2 rows: 2 good, 0 bad" in operator.get(page_of(operator, file)).content.decode()
    assert "Import 2 rows<" in operator.get(page_of(operator, file)).content.decode()
    operator.post(page_of(operator, file, "import"))
    file.refresh_from_db()
    run = engine.advance(file.import_run_id)
    assert (run.status, run.triggered_by) == ("completed", "operator")
    assert MarketDay.objects.count() == 3
    assert "market days: 2 removed, 0 restored" in operator.get(page_of(operator, file, "undo")).content.decode()
    assert MarketDay.objects.count() == 3  # looking changes nothing
    operator.post(page_of(operator, file, "undo"))
    assert MarketDay.objects.count() == 1
    assert "rolled back" in operator.get(reverse("admin:market_data_importedfile_changelist")).content.decode()


def bomb() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", b"0" * (parsing.MAX_BYTES + 1))
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe\x00", "is not UTF-16 text"),
        ("date,kind,is_session\n2027-01-26,café,no\n".encode("latin-1"), "is not UTF-8 text"),
        (b"date,open\n2027-01-26,\n", "lacks the columns kind, is_session"),
        (b"date,kind,is_session\n2027-01-26," + b"9" * 10**7 + b",no\n", "field larger than field limit"),
        (bomb(), "holds more than"),
        (b"date,kind,is_session\n=1+1,holiday,no\n", "is not a date such as"),
    ],
    ids=["utf16", "latin", "columns", "digits", "bomb", "formula"],
)
def test_bad_input_is_explained_and_nothing_is_written(operator, content, message):
    upload(operator, content)
    file = ImportedFile.objects.get()
    engine.advance(file.check_run_id)
    page = operator.get(page_of(operator, file)).content.decode()
    assert message in page
    assert 'class="imports-button">Import' not in page
    listed = operator.get(reverse("admin:market_data_importedfile_changelist")).content.decode()
    assert bool(re.search(r">\s*rejected\s*<", listed)) is ("The file was rejected" in page)
    operator.post(page_of(operator, file, "import"), {"only_good": "on"})
    assert not PipelineRun.objects.filter(job="import_csv").exists()
    assert MarketDay.objects.count() == 1


def test_the_form_rejects_a_file_before_reading_it(operator, monkeypatch):
    assert "none that you may import" in upload(operator, kind="people").content.decode()
    assert "empty" in upload(operator, b"").content.decode()
    monkeypatch.setattr("tradingsite.imports.admin.MAX_BYTES", 10)
    assert "import it in parts" in upload(operator).content.decode()
    assert not ImportedFile.objects.exists()


def test_a_file_name_is_stripped_of_markup_and_path(operator):
    upload(operator, name="../<b>-x=1.csv")
    assert ImportedFile.objects.get().name == "b-x1.csv"


@pytest.mark.parametrize("done", [0, 1], ids=["active", "imported"])
def test_the_run_of_a_late_evening_can_be_opened(operator, done):
    """The admin reads `_22` and `_23` in an address as quoted signs."""
    run = make_run("import_csv_20261130_221523", job="import_csv", names=("IMPORT_FILE",), done=done, session=None)
    upload(operator)
    ImportedFile.objects.update(import_run_id=run.pk)
    page = operator.get(page_of(operator, ImportedFile.objects.get())).content.decode()
    links = re.findall(r'href="([^"]*/pipelinerun/[^"?]+/change/)"', page)
    assert run_url(run.pk) in links
    assert [operator.get(link).status_code for link in links] == [200] * len(links)


def test_a_second_check_names_the_active_run(operator):
    make_run("check_csv_1", job="check_csv", names=("CHECK_FILE",), done=0, session=None)
    assert "already running as check_csv_1" in upload(operator).content.decode()


def test_buttons_need_the_permission_and_a_post(operator, client):
    upload(operator)
    file = ImportedFile.objects.get()
    assert operator.get(page_of(operator, file, "import")).status_code == 405
    watcher = get_user_model().objects.create_user("watcher", is_staff=True)
    watcher.user_permissions.add(Permission.objects.get(codename="view_importedfile"))
    client.force_login(watcher)
    assert client.get(page_of(client, file)).status_code == 200
    for place in ("check", "import", "undo", "progress"):
        assert client.post(page_of(client, file, place)).status_code == 403
    assert client.post(reverse(ADD), {}).status_code == 403


def test_uploading_does_not_include_rolling_back(operator, client):
    upload(operator)
    file = ImportedFile.objects.get()
    operator.post(page_of(operator, file, "import"))
    clerk = get_user_model().objects.create_user("clerk", is_staff=True)
    given = ("add_importedfile", "view_importedfile", "add_marketday", "change_marketday")
    clerk.user_permissions.set(Permission.objects.filter(codename__in=given))
    client.force_login(clerk)
    assert "Roll back…" not in client.get(page_of(client, file)).content.decode()
    for method in (client.get, client.post):
        assert method(page_of(client, file, "undo")).status_code == 403
    clerk.user_permissions.add(Permission.objects.get(codename="change_pipelinerun"))
    client.force_login(clerk)
    assert client.get(page_of(client, file, "undo")).status_code in (200, 302)


def test_an_upload_needs_the_right_to_the_rows_of_its_table_too(operator, client):
    upload(operator)
    file = ImportedFile.objects.get()
    clerk = get_user_model().objects.create_user("clerk", is_staff=True)
    given = ("add_importedfile", "view_importedfile", "view_marketday", "view_dailybar")
    clerk.user_permissions.set(Permission.objects.filter(codename__in=given))
    client.force_login(clerk)
    assert client.get(reverse(ADD)).status_code == 403  # of no table
    clerk.user_permissions.add(Permission.objects.get(codename="add_dailybar"))
    client.force_login(get_user_model().objects.get(username="clerk"))
    assert client.get(reverse(ADD)).status_code == 403  # an import replaces rows, too
    clerk.user_permissions.add(Permission.objects.get(codename="change_dailybar"))
    client.force_login(get_user_model().objects.get(username="clerk"))
    assert "Import CSV" in client.get("/admin/market_data/dailybar/").content.decode()
    assert "Import CSV" not in client.get("/admin/market_data/marketday/").content.decode()
    assert re.findall(r'<option value="(\w+)"', client.get(reverse(ADD)).content.decode()) == ["historical_bars"]
    assert "none that you may import" in upload(client).content.decode()
    for place in ("check", "import", "undo", "progress"):
        assert client.post(page_of(client, file, place)).status_code == 403
    assert ImportedFile.objects.count() == 1
    assert not MarketDay.objects.filter(date="2027-01-26").exists()


@pytest.mark.parametrize("kind", ["historical_bars", "market_days"])
def test_a_template_file_names_the_columns(operator, kind):
    answer = operator.get(reverse("admin:market_data_importedfile_columns", kwargs={"kind": kind}))
    assert answer.content.decode().split(",")[0] in ("symbol", "date")
    assert operator.get(reverse("admin:market_data_importedfile_columns", kwargs={"kind": "x"})).status_code == 404
