"""From a filled database into a file, and from the file into another database: the same rows, or a sentence."""

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from pytest_django import DjangoDbBlocker

from market_data.models import PipelineRun
from market_data.runs.state_hash import contract_hash
from ml.models import TrainedModel
from stocks.models import Stock
from tests.tables import SECRET, fill_every_table
from tradingsite.backup import configuration, creation, restoration, targets
from tradingsite.backup.archive import ArchiveReader, ArchiveWriter, BackupError

pytestmark = pytest.mark.django_db(transaction=True)
AT = datetime(2026, 5, 4, 22, 30, tzinfo=UTC)
MODEL = b"tree\nfeature_names=a b\n"


@pytest.fixture(autouse=True)
def places(settings: Any, tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    settings.MODELS_DIR, settings.BACKUP_DIR, settings.BACKUPS_KEPT = tmp_path / "models", tmp_path / "backups", 2
    with django_db_blocker.unblock():  # databases that are made and dropped within a test are let through
        yield


@pytest.fixture
def filled(settings: Any) -> None:
    """One row in every table, and the files of a model."""
    fill_every_table()
    TrainedModel.objects.update(path="m", files={"price_0.txt": "0" * 64})
    (settings.MODELS_DIR / "m").mkdir(parents=True)
    (settings.MODELS_DIR / "m" / "price_0.txt").write_bytes(MODEL)


def said(command: str, *arguments: str, **options: Any) -> dict[str, Any]:
    out = StringIO()
    call_command(command, *arguments, json=True, stdout=out, stderr=StringIO(), **options)
    told: dict[str, Any] = json.loads(out.getvalue())
    return told


def databases() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database")
        return {name for (name,) in cursor.fetchall()}


def rewritten(path: Path, to: Path, facts: dict[str, Any], **contents: bytes) -> Path:
    """The same back-up with other facts, or other members under the right hashes: as somebody might forge it."""
    reader = ArchiveReader(path)
    with ArchiveWriter(to) as writer:
        for name, about in reader.members.items():
            kept = {key: value for key, value in about.items() if key not in ("bytes", "sha256")}
            with writer.member(name, **kept) as sink:
                sink.write(contents.get(name.rpartition("/")[2], reader.content(name)))
        manifest = {key: value for key, value in reader.manifest.items() if key not in ("format", "members")}
        writer.finish(manifest | facts)
    return to


def test_a_back_up_is_rehearsed_beside_the_database_and_nothing_secret_lies_open(filled: None, settings: Any) -> None:
    run = said("backup")
    assert run["status"] == "completed"
    path = Path(run["summary"]["file"])
    assert path.parent == settings.BACKUP_DIR
    assert run["summary"]["rows"] > 20
    before, names = contract_hash(), databases()
    told = said("restore", str(path), verify=True)
    assert (told["equal"], told["rows"]) == (True, run["summary"]["rows"])
    assert contract_hash() == before
    assert databases() == names
    reader = ArchiveReader(path)
    everything = b"".join(reader.content(name) for name in reader.members)
    assert MODEL in everything
    for secret in (settings.SECRET_KEY, *settings.CREDENTIAL_KEYS, SECRET):
        assert secret.encode() not in everything
    assert not {"django_session", "django_q_ormq"} & {facts.get("table") for facts in reader.members.values()}


def test_no_setting_that_may_hold_a_secret_is_named() -> None:
    words = ("SECRET", "KEY", "PASSWORD", "TOKEN", "URL", "DATABASE", "REDIS", "CACHES")
    assert [name for name in configuration.NAMES if any(word in name for word in words)] == []


def test_an_older_schema_is_restored_as_it_was_and_then_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "old.backup.zip"
    with targets.scratch(connection) as old:
        executor = MigrationExecutor(old)
        leaves = [key for key in executor.loader.graph.leaf_nodes() if key[0] != "market_data"]
        executor.migrate([*leaves, ("market_data", "0001_bars_calendar_and_runs")])
        with old.cursor() as cursor:
            cursor.execute("INSERT INTO market_days VALUES ('2026-04-30', 'normal', true, NULL, NULL, 'test')")
        creation.create(path, AT, database=old)
    with targets.scratch(connection) as new:
        restoration.restore(ArchiveReader(path), new, lambda line: None)
        with new.cursor() as cursor:
            cursor.execute("SELECT date::text, run_id FROM market_days")
            assert cursor.fetchall() == [("2026-04-30", None)]


def test_what_cannot_be_restored_is_said_and_the_database_stays_as_it_is(filled: None, tmp_path: Path) -> None:
    good = creation.create(tmp_path / "good.zip", AT).path
    newer = rewritten(good, tmp_path / "newer.zip", {"migrations": [["stocks", "0999_from_tomorrow"]]})
    other = rewritten(good, tmp_path / "other.zip", {"market": "real"})
    cut = tmp_path / "cut.zip"
    cut.write_bytes(good.read_bytes()[:-30])
    before, names = contract_hash(), databases()
    for path, sentence in (
        (newer, r"newer version: this one lacks the migrations stocks\.0999_from_tomorrow"),
        (other, "holds a real market, and MARKET_DATA_PROVIDER=simulator is simulated"),
        (good, r"is not empty .*--replace"),
        (cut, r"cut\.zip is cut off"),
    ):
        with pytest.raises(CommandError, match=sentence):
            said("restore", str(path))
    assert contract_hash() == before
    assert databases() == names


def test_rows_that_do_not_come_back_as_they_are_in_the_file_are_not_kept(filled: None, tmp_path: Path) -> None:
    """The hash in the file is right, but PostgreSQL makes another value of it; or a row lacks its partner."""
    good = creation.create(tmp_path / "good.zip", AT).path
    days = ArchiveReader(good).content("tables/historical_data")
    forged = rewritten(good, tmp_path / "forged.zip", {}, historical_data=days.replace(b"\t10\t", b"\t10.0\t"))
    orphan = rewritten(good, tmp_path / "orphan.zip", {}, historical_data=days.replace(b"AAA", b"ZZZ"))
    broken = rewritten(good, tmp_path / "broken.zip", {}, historical_data=days.replace(b"\t10\t", b"\tten\t"))
    with targets.scratch(connection) as made:
        for path, sentence in (
            (forged, "historical_data has other values. Nothing was kept"),
            (orphan, "violates foreign key constraint"),
            (broken, "cannot be stored"),
        ):
            with pytest.raises(BackupError, match=sentence):
                restoration.restore(ArchiveReader(path), made, lambda line: None)
            assert restoration.filled_tables(made) == []
        restoration.restore(ArchiveReader(good), made, lambda line: None)
        assert "historical_data" in restoration.filled_tables(made)


@pytest.mark.crash
def test_a_filled_database_is_put_aside_and_nothing_of_it_is_lost(filled: None, settings: Any, tmp_path: Path) -> None:
    """In a scratch database in the place of the one in use: that one must keep its name for the other tests."""
    good = creation.create(tmp_path / "good.zip", AT).path
    with targets.scratch(connection) as used:
        restoration.restore(ArchiveReader(good), used, lambda line: None)
        with used.cursor() as cursor:
            cursor.execute("UPDATE stocks SET stock_name = 'changed since'")
        name = used.settings_dict["NAME"]
        with targets.scratch(connection, "second") as made:
            restoration.restore(ArchiveReader(good), made, lambda line: None)
            before = targets.put_in_place(made, used, AT)
        try:
            assert before in databases()
            with used.cursor() as cursor:
                cursor.execute("SELECT stock_name FROM stocks")
                assert cursor.fetchall() == [(Stock.objects.get().stock_name,)]
            assert used.settings_dict["NAME"] == name
        finally:
            with connection.cursor() as cursor:
                cursor.execute(f'DROP DATABASE "{before}"')


def test_the_last_ones_stay_and_what_broken_ones_left_goes(filled: None, settings: Any) -> None:
    folder: Path = settings.BACKUP_DIR
    folder.mkdir()
    for name in ("simulated_1.backup.zip", "simulated_2.backup.zip", "real_1.backup.zip", "notes.txt"):
        (folder / name).write_bytes(b"")
    (folder / ".simulated_0.backup.zip.unfinished").write_bytes(b"")
    made = Path(said("backup")["summary"]["file"])
    assert {path.name for path in folder.iterdir()} == {
        "real_1.backup.zip",
        "notes.txt",
        "simulated_2.backup.zip",
        made.name,
    }
    elsewhere = said("backup", to=settings.BACKUP_DIR / "usb")["summary"]["file"]
    assert Path(elsewhere).parent == folder / "usb"
    assert made.exists()


def test_no_room_is_said_before_and_a_full_disk_leaves_nothing(
    filled: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=5 << 20))
    with pytest.raises(CommandError, match=r"has 5 MB free, and the back-up may need \d+ MB: make room"):
        said("backup")
    assert list(settings.BACKUP_DIR.iterdir()) == []
    assert PipelineRun.objects.get(job="backup").status == "failed"


def test_switched_off_the_job_does_nothing_and_the_command_says_so(settings: Any) -> None:
    settings.BACKUPS_KEPT = 0
    with pytest.raises(CommandError, match="BACKUPS_KEPT=0"):
        said("backup")
    assert not settings.BACKUP_DIR.exists()


def test_a_model_whose_file_is_gone_is_said(filled: None, settings: Any) -> None:
    shutil.rmtree(settings.MODELS_DIR)
    assert said("backup")["summary"]["missing_models"] == ["m/price_0.txt"]
