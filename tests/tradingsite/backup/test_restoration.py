"""Back up a filled database and restore it into another one: the same rows, or a sentence that says why not."""

import json
import shutil
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from pytest_django import DjangoDbBlocker

from market_data.models import PipelineRun
from ml.models import TrainedModel
from stocks.models import Stock
from tests.portfolio.test_kept import KEPT
from tests.state_hash import contract_hash
from tests.tables import SECRET, fill_every_table
from tradingsite.backup import configuration, creation, databases, restoration, tables
from tradingsite.backup.archive import SIGNATURE, ArchiveReader, ArchiveWriter, BackupError

pytestmark = pytest.mark.django_db(transaction=True)
AT = datetime(2026, 5, 4, 22, 30, tzinfo=UTC)
MODEL = b"tree\nfeature_names=a b\n"


@pytest.fixture(autouse=True)
def places(settings: Any, tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    settings.MODELS_DIR, settings.BACKUP_DIR, settings.BACKUPS_KEPT = tmp_path / "models", tmp_path / "backups", 2
    with django_db_blocker.unblock():  # for databases that a test creates and drops
        yield


@pytest.fixture(scope="module")
def migrated(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """Name of a database with all tables, and no row in them: migrations take seconds, a copy does not."""
    with django_db_blocker.unblock(), databases.scratch_database(connection, "migrated") as empty:
        call_command("migrate", database=empty.alias, verbosity=0)
        empty.close()
        yield empty.settings_dict["NAME"]


@pytest.fixture
def scratch_is_migrated(migrated: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scratch databases are copies of `migrated`, for tests that are not about the migrations of a restoration."""
    on_server = databases._on_server

    def copying(database: Any, statement: str) -> None:
        on_server(database, statement.replace("TEMPLATE template0", f"TEMPLATE {connection.ops.quote_name(migrated)}"))

    monkeypatch.setattr(databases, "_on_server", copying)


@pytest.fixture
def filled(settings: Any) -> None:
    """One row in every table, and the files of a model."""
    fill_every_table()
    TrainedModel.objects.update(path="m", files={"price_0.txt": "0" * 64})
    (settings.MODELS_DIR / "m").mkdir(parents=True)
    (settings.MODELS_DIR / "m" / "price_0.txt").write_bytes(MODEL)


def command_report(command: str, *arguments: str, **options: Any) -> dict[str, Any]:
    out = StringIO()
    call_command(command, *arguments, json=True, stdout=out, stderr=StringIO(), **options)
    report: dict[str, Any] = json.loads(out.getvalue())
    return report


def database_names() -> set[str]:
    with connection.cursor() as cursor:
        # The server has the databases of other workers, too.
        cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, current_database())")
        return {name for (name,) in cursor.fetchall()}


def forge_backup(path: Path, to: Path, facts: dict[str, Any], **contents: bytes) -> Path:
    """Write the same back-up with other facts, or with other members under correct hashes."""
    reader = ArchiveReader(path)
    with ArchiveWriter(to) as writer:
        for name, member in reader.members.items():
            kept = {key: value for key, value in member.items() if key not in ("bytes", "sha256")}
            with writer.member(name, **kept) as sink:
                sink.write(contents.get(name.rpartition("/")[2], reader.content(name)))
        manifest = {key: value for key, value in reader.manifest.items() if key not in ("format", "members")}
        writer.finish(manifest | facts)
    return to


def test_a_back_up_is_verified_beside_the_database_and_holds_no_secret(filled: None, settings: Any) -> None:
    run = command_report("backup")
    assert run["status"] == "completed"
    path = Path(run["summary"]["file"])
    assert path.parent == settings.BACKUP_DIR
    assert run["summary"]["rows"] > 20
    before, names = contract_hash(), database_names()
    report = command_report("restore", str(path), verify=True)
    assert (report["equal"], report["rows"]) == (True, run["summary"]["rows"])
    assert contract_hash() == before
    assert database_names() == names
    reader = ArchiveReader(path)
    everything = b"".join(reader.content(name) for name in reader.members)
    assert MODEL in everything
    for secret in (settings.SECRET_KEY, *settings.CREDENTIAL_KEYS, SECRET):
        assert secret.encode() not in everything
    queue = {"django_q_ormq", "django_q_task", "django_q_schedule"}
    stored = {facts.get("table") for facts in reader.members.values()}
    assert not {"django_session", *queue} & stored
    assert stored >= KEPT


def test_no_setting_that_may_hold_a_secret_is_listed() -> None:
    words = ("SECRET", "KEY", "PASSWORD", "TOKEN", "URL", "DATABASE", "REDIS", "CACHES")
    assert [name for name in configuration.NAMES if any(word in name for word in words)] == []


@pytest.mark.long
def test_an_older_schema_is_restored_as_it_was_and_then_migrated(tmp_path: Path) -> None:
    path = tmp_path / "old.backup.zip"
    with databases.scratch_database(connection) as old:
        executor = MigrationExecutor(old)
        old_nodes = [("market_data", "0001_bars_calendar_and_runs"), ("tradingsite", "0001_troubles_and_their_alerts")]
        leaves = [key for key in executor.loader.graph.leaf_nodes() if key[0] not in ("market_data", "tradingsite")]
        executor.migrate([*leaves, *old_nodes])
        with old.cursor() as cursor:
            cursor.execute("INSERT INTO market_days VALUES ('2026-04-30', 'normal', true, NULL, NULL, 'test')")
        creation.create_backup(path, AT, database=old)
    with databases.scratch_database(connection) as new:
        restoration.restore_backup(ArchiveReader(path), new, lambda line: None)
        with new.cursor() as cursor:
            cursor.execute("SELECT date::text, run_id FROM market_days")
            assert cursor.fetchall() == [("2026-04-30", None)]
            cursor.execute("SELECT act, after ->> 'file' FROM audit_log WHERE table_name = ''")
            assert cursor.fetchall() == [("restore", str(path))]


@pytest.mark.long
def test_a_restoration_into_another_database_migrates_that_one_alone(filled: None, tmp_path: Path) -> None:
    """A migration that names no database would change the one in use, also by `restore --verify`."""
    path = creation.create_backup(tmp_path / "good.zip", AT).path
    statements: list[str] = []

    def note(execute: Any, sql: Any, *rest: Any) -> Any:
        statements.append(str(sql))
        return execute(sql, *rest)

    with databases.scratch_database(connection) as scratch, connection.execute_wrapper(note):
        restoration.restore_backup(ArchiveReader(path), scratch, lambda line: None)
    assert statements == []


@pytest.mark.long
def test_orders_and_ledger_are_restored_with_what_refuses_to_change_them(filled: None, tmp_path: Path) -> None:
    good = creation.create_backup(tmp_path / "good.zip", AT).path
    names = ", ".join(f"(SELECT string_agg(t::text, ';' ORDER BY t::text) FROM {table} t)" for table in sorted(KEPT))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {names}")
        before = cursor.fetchone()
    with databases.scratch_database(connection) as scratch:
        restoration.restore_backup(ArchiveReader(good), scratch, lambda line: None)
        with scratch.cursor() as cursor:
            cursor.execute("SET timezone TO 'UTC'")
            cursor.execute(f"SELECT {names}")
            assert cursor.fetchone() == before
            for table in ("order_intents", "order_events", "ledger_entries", "kill_switch"):
                for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET id = id"):
                    with pytest.raises(DatabaseError, match="only ever added to"):
                        cursor.execute(statement)


def test_a_refused_back_up_leaves_the_database_unchanged(filled: None, tmp_path: Path) -> None:
    good = creation.create_backup(tmp_path / "good.zip", AT).path
    newer = forge_backup(good, tmp_path / "newer.zip", {"migrations": [["stocks", "0999_from_tomorrow"]]})
    other = forge_backup(good, tmp_path / "other.zip", {"market": "real"})
    bare = tmp_path / "bare.zip"
    with ArchiveWriter(bare) as writer:
        writer.finish({"market": "simulated"})
    cut = tmp_path / "cut.zip"
    cut.write_bytes(good.read_bytes()[:-30])
    before, names = contract_hash(), database_names()
    for path, sentence in (
        (newer, r"newer version: this one lacks the migrations stocks\.0999_from_tomorrow"),
        (other, "holds a real market, and MARKET_DATA_PROVIDER=simulator is simulated"),
        (good, r"is not empty .*--replace"),
        (cut, r"cut\.zip is truncated"),
        (bare, "it lacks made_at, migrations, missing_models, sequences"),
    ):
        with pytest.raises(CommandError, match=sentence):
            command_report("restore", str(path))
    assert contract_hash() == before
    assert database_names() == names


@pytest.mark.long
def test_the_queue_and_logins_are_empty_after_a_restoration_whatever_the_file_holds(
    filled: None, scratch_is_migrated: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older back-up holds results, and a planted one what the queue shall run."""
    with monkeypatch.context() as before:
        before.setattr(tables, "TRANSIENT", ())
        old = creation.create_backup(tmp_path / "old.zip", AT).path
    assert ArchiveReader(old).members["tables/django_q_schedule"]["rows"] > 0
    with databases.scratch_database(connection) as scratch:
        with scratch.cursor() as cursor:
            cursor.execute("INSERT INTO django_session VALUES ('key', 'data', now())")
        restoration.restore_backup(ArchiveReader(old), scratch, lambda line: None)
        with scratch.cursor() as cursor:
            for table in tables.TRANSIENT:
                cursor.execute(f"SELECT count(*) FROM {table}")
                assert cursor.fetchone() == (0,), table
            cursor.execute("SELECT count(*) FROM stocks")
            assert cursor.fetchone() == (1,)


# --- who wrote it ---------------------------------------------------------------------------------------------------
def unsigned(path: Path, to: Path) -> Path:
    """The same file as an older version wrote it."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(to, "w") as target:
        for name in source.namelist():
            if name != SIGNATURE:
                target.writestr(name, source.read(name))
    return to


def test_a_back_up_that_we_did_not_sign_is_restored_only_once_its_name_is_typed(
    filled: None, scratch_is_migrated: None, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = creation.create_backup(tmp_path / "good.zip", AT).path
    path = unsigned(good, tmp_path / "older.zip")
    with pytest.raises(CommandError, match=r"older\.zip is not signed: anybody .*--unsigned"):
        command_report("restore", str(path), verify=True)
    for typed in ("", "yes\n", f"{good.name}\n"):
        monkeypatch.setattr("sys.stdin", StringIO(typed))
        with pytest.raises(CommandError, match=r"The name older\.zip was not typed\. Nothing was changed"):
            command_report("restore", str(path), verify=True, unsigned=True)
    monkeypatch.setattr("sys.stdin", StringIO("older.zip\n"))
    assert command_report("restore", str(path), verify=True, unsigned=True)["equal"]
    settings.CREDENTIAL_KEYS = ["a key of another machine"]
    with pytest.raises(CommandError, match=r"good\.zip is signed by none of our keys.*put its CREDENTIAL_KEYS"):
        command_report("restore", str(good), verify=True)
    settings.CREDENTIAL_KEYS = [*settings.CREDENTIAL_KEYS, "an older one"]
    rotated = creation.create_backup(tmp_path / "rotated.zip", AT).path
    settings.CREDENTIAL_KEYS = ["the newest", "a key of another machine"]
    assert command_report("restore", str(rotated), verify=True)["equal"]


def test_models_are_replaced_only_after_the_rows_were_compared(
    filled: None, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = creation.create_backup(tmp_path / "good.zip", AT).path
    model = settings.MODELS_DIR / "m" / "price_0.txt"
    model.write_bytes(b"in use")

    def refuse(*_: object) -> None:
        raise BackupError("The stored rows differ.")

    monkeypatch.setattr(restoration, "restore_backup", refuse)
    for is_filled in (["stocks"], []):
        monkeypatch.setattr(restoration, "nonempty_tables", lambda database, names=is_filled: names)
        with pytest.raises(CommandError, match="rows differ"):
            command_report("restore", str(good), replace=True)
        assert [path.name for path in settings.MODELS_DIR.iterdir()] == ["m"]
        assert model.read_bytes() == b"in use"


def test_a_model_path_in_the_database_that_leads_elsewhere_is_not_packed(filled: None, tmp_path: Path) -> None:
    (tmp_path / "private").write_text("hush")
    TrainedModel.objects.update(path="..", files={"private": "0" * 64})
    with pytest.raises(BackupError, match=r"'\.\./private', which is not `<model>/<file>`"):
        creation.create_backup(tmp_path / "one.zip", AT)


@pytest.mark.long
def test_rows_that_differ_once_stored_are_not_kept(filled: None, scratch_is_migrated: None, tmp_path: Path) -> None:
    """The file's hash is correct, but PostgreSQL stores another value, or a row lacks the one it refers to."""
    good = creation.create_backup(tmp_path / "good.zip", AT).path
    days = ArchiveReader(good).content("tables/historical_data")
    forged = forge_backup(good, tmp_path / "forged.zip", {}, historical_data=days.replace(b"\t10\t", b"\t10.0\t"))
    orphan = forge_backup(good, tmp_path / "orphan.zip", {}, historical_data=days.replace(b"AAA", b"ZZZ"))
    broken = forge_backup(good, tmp_path / "broken.zip", {}, historical_data=days.replace(b"\t10\t", b"\tten\t"))
    with databases.scratch_database(connection) as scratch:
        for path, sentence in (
            (forged, "historical_data has other values. Nothing was kept"),
            (orphan, "violates foreign key constraint"),
            (broken, "cannot be stored"),
        ):
            with pytest.raises(BackupError, match=sentence):
                restoration.restore_backup(ArchiveReader(path), scratch, lambda line: None)
            assert restoration.nonempty_tables(scratch) == []
        restoration.restore_backup(ArchiveReader(good), scratch, lambda line: None)
        assert "historical_data" in restoration.nonempty_tables(scratch)


@pytest.mark.crash
def test_a_replaced_database_is_kept_whole_under_another_name(filled: None, settings: Any, tmp_path: Path) -> None:
    """A scratch database stands in for the one in use, which must keep its name for the other tests."""
    good = creation.create_backup(tmp_path / "good.zip", AT).path
    with databases.scratch_database(connection) as used:
        restoration.restore_backup(ArchiveReader(good), used, lambda line: None)
        with used.cursor() as cursor:
            cursor.execute("UPDATE stocks SET stock_name = 'changed since'")
        name = used.settings_dict["NAME"]
        with databases.scratch_database(connection, "second") as scratch:
            restoration.restore_backup(ArchiveReader(good), scratch, lambda line: None)
            before = databases.take_over(scratch, used, AT)
        try:
            assert before in database_names()
            with used.cursor() as cursor:
                cursor.execute("SELECT stock_name FROM stocks")
                assert cursor.fetchall() == [(Stock.objects.get().stock_name,)]
            assert used.settings_dict["NAME"] == name
        finally:
            with connection.cursor() as cursor:
                cursor.execute(f'DROP DATABASE "{before}"')


def test_the_newest_are_kept_and_leftovers_removed(filled: None, settings: Any) -> None:
    folder: Path = settings.BACKUP_DIR
    folder.mkdir()
    for name in ("simulated_1.backup.zip", "simulated_2.backup.zip", "real_1.backup.zip", "notes.txt"):
        (folder / name).write_bytes(b"")
    (folder / ".simulated_0.backup.zip.unfinished").write_bytes(b"")
    backup = Path(command_report("backup")["summary"]["file"])
    assert {path.name for path in folder.iterdir()} == {
        "real_1.backup.zip",
        "notes.txt",
        "simulated_2.backup.zip",
        backup.name,
    }
    elsewhere = command_report("backup", to=settings.BACKUP_DIR / "usb")["summary"]["file"]
    assert Path(elsewhere).parent == folder / "usb"
    assert backup.exists()


def test_lack_of_room_is_refused_at_the_start_and_leaves_nothing(
    filled: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=5 << 20))
    with pytest.raises(CommandError, match=r"has 5 MB free, but the back-up may need \d+ MB: free some space"):
        command_report("backup")
    assert list(settings.BACKUP_DIR.iterdir()) == []
    assert PipelineRun.objects.get(job="backup").status == "failed"


def test_disabled_back_ups_are_refused_by_the_command(settings: Any) -> None:
    settings.BACKUPS_KEPT = 0
    with pytest.raises(CommandError, match="BACKUPS_KEPT=0"):
        command_report("backup")
    assert not settings.BACKUP_DIR.exists()


def test_a_missing_model_file_is_reported(filled: None, settings: Any) -> None:
    shutil.rmtree(settings.MODELS_DIR)
    assert command_report("backup")["summary"]["missing_models"] == ["m/price_0.txt"]
