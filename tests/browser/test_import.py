"""A file with three bad rows is uploaded, its errors shown, corrected, imported, and rolled back, in a browser."""

from datetime import date
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model

from market_data.models import DailyBar, ImportedFile, MarketDay, SourceFile
from market_data.runs import engine
from tests.browser.conftest import PHONE

HEAD = "symbol,date,open,high,low,close,volume\n"
DAYS = [date(2026, 4, day) for day in (27, 28, 29, 30)]
GOOD = [f"AAA,{day},10,11,9,10.5,{100 + number}" for number, day in enumerate(DAYS)]
BAD = ["AAA,2026-04-26,10,11,9,10.5,100", "BBB,2026-04-27,ten,11,9,10.5,100", "CCC,2026-04-27,10,11,9,10.5,1.5"]


@pytest.fixture
def market(transactional_db):
    for day in DAYS:
        MarketDay.objects.create(date=day, kind="normal", is_session=True, open="09:15", close="15:30", source="test")
    SourceFile.objects.create(session=DAYS[-1], name="b", size=1, mtime_ns=1, sha256="0" * 64, rows=1, rejected=0)
    get_user_model().objects.create_superuser("operator", password="a long passphrase 7")


def logged_in(watched, path: str):
    page = watched.open(f"/admin/login/?next={path}")
    page.fill("input[name=username]", "operator")
    page.fill("input[name=password]", "a long passphrase 7")
    page.click("button[type=submit]")
    page.wait_for_url(f"**{path}*")
    return page


def upload(page, folder: Path, name: str, lines: list[str]) -> ImportedFile:
    path = folder / name
    path.write_text(HEAD + "\n".join(lines) + "\n")
    page.select_option("select[name=kind]", "historical_bars")
    page.set_input_files("input[name=file]", path)
    page.click("text=Check the file")
    page.wait_for_selector("text=The file is being checked")
    return ImportedFile.objects.get(name=name)


@pytest.mark.long
def test_three_bad_rows_are_shown_corrected_imported_and_rolled_back(opened, market, tmp_path):
    watched = opened()
    page = logged_in(watched, "/admin/market_data/importedfile/add/")
    file = upload(page, tmp_path, "bars.csv", GOOD + BAD)
    engine.advance(file.check_run_id)

    page.wait_for_selector("text=7 rows: 4 good, 3 bad")  # the page shows it by itself
    errors = page.locator("#import-errors tbody tr").all_inner_texts()
    assert [line.split("\t")[:3] for line in errors] == [
        ["6", "date", "2026-04-26"],
        ["7", "open", "ten"],
        ["8", "volume", "1.5"],
    ]
    assert page.locator("#import-preview tr.imports-wrong").count() == 3
    watched.picture("import_errors", full=True)
    page.click("text=Import 4 rows")  # the browser asks for the box first
    assert not ImportedFile.objects.get(pk=file.pk).import_run_id

    page.click("text=upload it again")
    file = upload(page, tmp_path, "corrected.csv", GOOD)
    engine.advance(file.check_run_id)
    page.click("text=Import 4 rows")
    page.wait_for_selector("text=The rows are being imported")
    file.refresh_from_db()
    engine.advance(file.import_run_id)
    page.wait_for_selector("text=Imported: 4 new rows, 0 changed")
    assert DailyBar.objects.count() == 4
    watched.picture("import_done", full=True)

    page.click("text=Roll back…")
    page.wait_for_selector("text=historical data: 4 removed, 0 restored")
    watched.picture("import_undo")
    page.click("button:has-text('Roll back')")
    page.wait_for_selector("text=The import was rolled back")
    assert DailyBar.objects.count() == 0


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_readable_on_a_phone(opened, market, tmp_path, scheme):
    watched = opened(viewport=PHONE, color_scheme=scheme)
    page = logged_in(watched, "/admin/market_data/importedfile/add/")
    file = upload(page, tmp_path, "bars.csv", GOOD + BAD)
    engine.advance(file.check_run_id)
    page.wait_for_selector("text=7 rows: 4 good, 3 bad")
    assert watched.overflow() <= 0
    watched.picture(f"import_phone_{scheme}")
