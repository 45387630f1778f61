"""A bad file ends the step with a sentence and changes nothing; when the good one arrives, a retry completes."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.urls import reverse
from pytest_django import DjangoDbBlocker

from market_data.models import PipelineRun, RejectedRow, SourceFile
from market_data.providers import SessionNotAvailable
from market_data.providers.nse.archive import NseArchive
from market_data.runs.engine import advance
from market_data.runs.lifecycle import retry_failed
from market_data.runs.saga import NotYet, StepFailed, saga_of
from market_data.steps import historical_data
from stocks.models import Stock
from stocks.storage.resources import StockResource
from tests.end_to_end import evenings
from tests.end_to_end.evenings import SESSIONS

pytestmark = pytest.mark.django_db
BEFORE, TONIGHT = SESSIONS[14], SESSIONS[15]
# `stocks` is not among them: the step before, which read the lists, is complete.
UNTOUCHED = (
    *("historical_data", "technical_indicators", "stock_metrics", "source_files", "rejected_rows"),
    *("symbol_changes", "corporate_actions", "daily_suggested_stocks", "publications", "table_totals"),
)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of fifteen sessions, and tonight's file."""
    folder = tmp_path_factory.mktemp("published")
    evenings.publish(evenings.simulator(), folder, *SESSIONS[:16])
    return folder


@pytest.fixture(scope="module")
def evening_before(
    published: Path,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[None]:
    """A database that has read all but tonight's file; emptied when the module is done."""
    with django_db_blocker.unblock():
        with evenings.reading_archive(published, tmp_path_factory.mktemp("before")):
            evenings.evening(BEFORE)
        yield
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {', '.join(evenings.EVERYTHING)} CASCADE")


@pytest.fixture
def folder(published: Path, tmp_path: Path) -> Path:
    """A private copy of the archive; tonight's file is no link, because tests overwrite it."""
    folder = evenings.linked(published, tmp_path / "exchange")
    tonight = evenings.file_of(folder, TONIGHT)
    content = tonight.read_bytes()
    tonight.unlink()
    tonight.write_bytes(content)
    return folder


@pytest.fixture
def exchange(evening_before: None, folder: Path, tmp_path: Path, db: None) -> Iterator[Path]:
    """The archive, and a database that has read all but tonight's file."""
    with evenings.reading_archive(folder, tmp_path):
        yield folder


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines(keepends=True)


def with_prices(path: Path, share: float, price: str) -> str:
    """Another close in a share of the lines."""
    head, *rows = lines_of(path)
    bad = int(len(rows) * share)
    changed = [", ".join([*row.split(", ")[:8], price, *row.split(", ")[9:]]) for row in rows[-bad:]]
    return "".join([head, *rows[:-bad], *changed])


BAD: dict[str, tuple[Callable[[Path], bytes], str]] = {
    "empty": (lambda path: b"", "is empty"),
    "a web page": (lambda path: b"<!DOCTYPE html><p>Access denied</p>", "web page"),
    "cut off": (lambda path: path.read_bytes()[:-30], "ends in the middle of a line"),
    "only a header": (lambda path: lines_of(path)[0].encode(), "no rows"),
    "zeros at its end": (lambda path: path.read_bytes()[:-400] + bytes(400), "NUL bytes"),
    "a picture": (lambda path: b"\x89PNG\r\n\x1a\n" + bytes(range(1, 256)), "lacks the columns"),
    "another table": (lambda path: b"A,B\n1,2\n", "lacks the columns SYMBOL"),
    "a column twice": (lambda path: path.read_bytes().replace(b"LOW_PRICE", b"HIGH_PRICE", 1), "lacks the columns LOW"),
    "of another day": (
        lambda path: path.read_bytes().replace(f"{TONIGHT:%d-%b-%Y}".encode(), f"{BEFORE:%d-%b-%Y}".encode()),
        f"holds {BEFORE} although its name says {TONIGHT}",
    ),
    "negative prices": (lambda path: with_prices(path, 0.2, "-5.00").encode(), "more than 5%"),
    "infinite prices": (lambda path: with_prices(path, 0.2, "inf").encode(), "more than 5%"),
    "absurd prices": (lambda path: with_prices(path, 0.2, "1e300").encode(), "more than 5%"),
    "words for prices": (lambda path: with_prices(path, 0.2, "n.a.").encode(), "more than 5%"),
}


# A file without sense, one that contradicts its name, rows beyond the tolerance. Of the others the default tier tries
# the sentences alone: tests/market_data/providers/nse/test_files.py
TYPICAL = {"a web page", "of another day", "negative prices"}


@pytest.mark.parametrize(
    "kinds", [TYPICAL, pytest.param(BAD.keys() - TYPICAL, marks=pytest.mark.long)], ids=["typical", "others"]
)
def test_each_bad_file_is_named_and_the_good_one_completes_the_same_run(exchange, kinds):
    path = evenings.file_of(exchange, TONIGHT)
    good = path.read_bytes()
    with transaction.atomic():
        evenings.evening(TONIGHT)
        undisturbed = evenings.contract_fingerprint()
        transaction.set_rollback(True)
    before, run = evenings.fingerprint(*UNTOUCHED), None
    for kind in sorted(kinds):
        damaged, message = BAD[kind]
        path.write_bytes(good)
        path.write_bytes(damaged(path))
        run = evenings.run("pipeline", TONIGHT) if run is None else retried(run)
        step = run.steps.get(name="HISTORICAL_DATA")
        assert (run.status, step.status, step.traceback) == ("failed", "failed", ""), kind
        assert message in step.reason, kind
        assert path.name in step.reason or "%" in message, kind
        assert evenings.fingerprint(*UNTOUCHED) == before, kind
    assert run is not None
    path.write_bytes(good)
    assert retried(run).status == "completed"
    assert evenings.contract_fingerprint() == undisturbed


def retried(run: PipelineRun) -> PipelineRun:
    retry_failed(run.id, triggered_by="test")
    return advance(run.id, wait=True)


def test_a_few_bad_lines_are_kept_aside_and_the_others_taken(exchange):
    path = evenings.file_of(exchange, TONIGHT)
    rows = len(lines_of(path)) - 2  # the header and the security that is no share
    path.write_text(with_prices(path, 0.02, "-5.00"), encoding="utf-8")
    evenings.evening(TONIGHT)
    (kept,) = RejectedRow.objects.filter(session=TONIGHT)
    assert (kept.reason, kept.source) == ("price is zero or negative", path.relative_to(exchange).as_posix())
    assert "-5.0" in kept.raw
    file = SourceFile.objects.get(session=TONIGHT)
    assert (file.rows, file.rejected) == (rows - 1, 1)


def test_a_bad_list_is_named_and_nothing_is_written(exchange):
    path = exchange / "lists" / "EQUITY_L.csv"
    good = path.read_bytes()
    before = evenings.fingerprint(*UNTOUCHED)
    path.write_bytes(b"<html>busy</html>")
    run = evenings.run("pipeline", TONIGHT)
    step = run.steps.get(name="SYMBOL_MASTER")
    assert (step.status, step.traceback) == ("failed", "")
    assert "EQUITY_L.csv is a web page or an error message" in step.reason
    assert evenings.fingerprint(*UNTOUCHED) == before
    path.write_bytes(good)
    assert retried(run).status == "completed"


def test_names_that_are_markup_or_formulas_stay_texts(exchange, admin_client):
    path = exchange / "lists" / "EQUITY_L.csv"
    head, *rows = lines_of(path)
    names = ("<script>alert(1)</script>", "=HYPERLINK(1)", "@SUM(1)", "-2+3")
    cells = [row.split(",") for row in rows[: len(names)]]
    hostile = [",".join([cell[0], name, *cell[2:]]) for cell, name in zip(cells, names, strict=True)]
    path.write_text("".join([head, *hostile, *rows[len(names) :]]), encoding="utf-8")
    assert evenings.run("symbol_master", None).status == "completed"
    stored = [Stock.objects.get(symbol=cell[0]).stock_name for cell in cells]
    assert stored == list(names)
    page = admin_client.get(reverse("admin:stocks_stock_changelist")).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert names[0] not in page
    exported = StockResource().export().csv
    for name in names[1:]:
        assert f",'{name}," in exported


class Rewritten(NseArchive):
    """An archive whose file is written by somebody else just while it is read."""

    def bars(self, session):
        raw = super().bars(session)
        path = evenings.file_of(self.root, session)
        path.write_bytes(path.read_bytes() + b"\n")
        os.utime(path, ns=(1, 1))
        return raw


class Taken(NseArchive):
    """An archive whose file is taken away between being found and being read."""

    def bars(self, session):
        evenings.file_of(self.root, session).unlink()
        return super().bars(session)


@pytest.mark.parametrize(
    ("feed", "error", "message"), [(Rewritten, NotYet, "changed while"), (Taken, SessionNotAvailable, "no daily file")]
)
def test_a_file_that_changes_or_goes_while_it_is_read_is_refused(folder, feed, error, message):
    assert issubclass(error, (StepFailed, *saga_of("pipeline").step("HISTORICAL_DATA").refusals))
    with pytest.raises(error, match=message):
        historical_data.read_session(feed(folder), TONIGHT)


def test_a_file_that_may_not_be_read_is_named(folder):
    path = evenings.file_of(folder, TONIGHT)
    path.unlink()
    path.mkdir()
    with pytest.raises(StepFailed, match=f"Is a directory.*{path.name}"):
        historical_data.read_session(NseArchive(folder), TONIGHT)
