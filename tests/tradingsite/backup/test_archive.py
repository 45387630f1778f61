"""The back-up file: complete or absent, and no byte of it can change unnoticed."""

import json
import os
import re
import resource
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tradingsite.backup import archive
from tradingsite.backup.archive import ArchiveReader, ArchiveWriter, BackupError
from tradingsite.backup.signature import Origin

ROWS = b"".join(f"{number}\tA{number % 7}\t\\N\n".encode() for number in range(5000))


def write_archive(path: Path, content: bytes = ROWS) -> Path:
    with ArchiveWriter(path) as writer:
        with writer.member("tables/stocks", table="stocks", columns=["id"], key="id", rows=5000) as sink:
            sink.write(content[:10])
            sink.write(content[10:])
        with writer.member("configuration/settings.json") as sink:
            sink.write(b"{}")
        assert writer.finish({"market": "simulated"}) == path.stat().st_size
    return path


def write_and_fail(path: Path) -> None:
    with ArchiveWriter(path) as writer, writer.member("tables/stocks") as sink:
        sink.write(ROWS)
        raise ZeroDivisionError


def contents(path: Path) -> dict[str, bytes]:
    reader = ArchiveReader(path)
    for _ in reader.check():
        pass
    return {name: reader.content(name) for name in reader.members}


def test_what_was_written_is_read_and_only_by_the_owner(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "one.backup.zip")
    assert contents(path) == {"tables/stocks": ROWS, "configuration/settings.json": b"{}"}
    assert ArchiveReader(path).members["tables/stocks"]["rows"] == 5000
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_the_file_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "one.backup.zip"
    with ArchiveWriter(path) as writer:
        with writer.member("tables/stocks") as sink:
            sink.write(ROWS)
            assert not path.exists()
        assert not path.exists()
        writer.finish({})
    assert path.exists()


def test_a_failing_writer_leaves_nothing_and_keeps_the_earlier_file(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "one.backup.zip", b"earlier\n")
    with pytest.raises(ZeroDivisionError):
        write_and_fail(path)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert contents(path)["tables/stocks"] == b"earlier\n"


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk's: a write fails in the middle of the file."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_archive(tmp_path / "one.backup.zip", os.urandom(1_000_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_a_file_truncated_anywhere_is_refused(tmp_path: Path) -> None:
    whole = write_archive(tmp_path / "one.backup.zip").read_bytes()
    cut = tmp_path / "cut.backup.zip"
    for length in range(0, len(whole), max(1, len(whole) // 100)):
        cut.write_bytes(whole[:length])
        with pytest.raises(BackupError, match=r"cut\.backup\.zip is truncated"):
            ArchiveReader(cut)


def test_no_changed_byte_goes_unnoticed(tmp_path: Path) -> None:
    """A changed byte is either reported, or carries no information and the contents are the same."""
    path = write_archive(tmp_path / "one.backup.zip")
    whole, content = path.read_bytes(), contents(path)
    changed = tmp_path / "changed.backup.zip"
    unnoticed = 0
    for place in range(0, len(whole), 17):
        changed.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        with suppress(BackupError):
            assert contents(changed) == content, f"byte {place}"
            unnoticed += 1
    assert unnoticed < 0.4 * len(whole) / 17


def test_a_member_of_another_back_up_is_refused(tmp_path: Path) -> None:
    first, second = write_archive(tmp_path / "1.zip"), write_archive(tmp_path / "2.zip", ROWS.replace(b"A3", b"A4"))
    mixed = tmp_path / "mixed.zip"
    with zipfile.ZipFile(mixed, "w") as target, zipfile.ZipFile(first) as original, zipfile.ZipFile(second) as other:
        for name in original.namelist():
            target.writestr(name, (other if name == "tables/stocks" else original).read(name))
    with pytest.raises(BackupError, match=r"altered: the hash of tables/stocks is not"):
        contents(mixed)


def test_a_web_page_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.zip"
    page.write_text("<html>Not found</html>")
    with pytest.raises(BackupError, match="not a back-up of this system"):
        ArchiveReader(page)
    with pytest.raises(BackupError, match=r"gone\.zip does not exist"):
        ArchiveReader(tmp_path / "gone.zip")


def rewrite(path: Path, to: Path, **changed: bytes) -> Path:
    """The same zip with other bytes under some names."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(to, "w") as target:
        for name in source.namelist():
            target.writestr(name, changed.get(name.partition(".")[0], source.read(name)))
    return to


def test_a_back_up_of_ours_is_known_by_its_signature(tmp_path: Path, settings: Any) -> None:
    path = write_archive(tmp_path / "one.zip")
    assert ArchiveReader(path).origin is Origin.OURS
    settings.CREDENTIAL_KEYS = ["a newer key", *settings.CREDENTIAL_KEYS]
    assert ArchiveReader(path).origin is Origin.OURS
    settings.CREDENTIAL_KEYS = ["a newer key"]
    assert ArchiveReader(path).origin is Origin.UNPROVEN


def test_a_manifest_that_was_changed_is_not_proven(tmp_path: Path) -> None:
    """With the hash of another member in it, without a blank, and with a signature from elsewhere."""
    path, other = write_archive(tmp_path / "one.zip"), write_archive(tmp_path / "two.zip", b"other\n")
    with zipfile.ZipFile(path) as first, zipfile.ZipFile(other) as second:
        manifest, foreign = first.read("manifest.json"), second.read("manifest.json")
        foreign_signature = second.read("signature.json")
    for number, changed in enumerate(
        (
            {"manifest": foreign},
            {"manifest": manifest.replace(b" ", b"", 1)},
            {"signature": foreign_signature},
            {"signature": b"{}"},
            {"signature": b'"hmac_sha256"'},
            {"signature": b"\xff"},
            {"signature": '{"hmac_sha256": "₹"}'.encode()},
        )
    ):
        assert ArchiveReader(rewrite(path, tmp_path / f"{number}.zip", **changed)).origin is Origin.UNPROVEN, changed


def test_a_member_of_the_same_name_appended_to_a_signed_file_is_not_read(tmp_path: Path) -> None:
    path, other = write_archive(tmp_path / "one.zip"), write_archive(tmp_path / "two.zip", b"other\n")
    with (
        pytest.warns(UserWarning, match="Duplicate name"),
        zipfile.ZipFile(path, "a") as target,
        zipfile.ZipFile(other) as source,
    ):
        target.writestr("tables/stocks", source.read("tables/stocks"))
    assert ArchiveReader(path).origin is Origin.OURS
    with pytest.raises(BackupError, match="altered: the hash of tables/stocks"):
        contents(path)


TABLE = {"sha256": "", "table": "stocks", "columns": [], "key": "symbol", "rows": 0}


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        ({"format": 99, "members": {}}, "update first"),
        ({"format": "1", "members": {}}, "1 was expected"),
        ([], "damaged, or not a back-up"),
        ({"format": 1, "members": []}, "is not of type 'object'"),
        ({"format": 1, "members": {"tables/stocks": {"sha256": ""}}}, "'table' is a required property"),
        ({"format": 1, "members": {"tables/trades": TABLE}}, "calls the table 'stocks' 'tables/trades'"),
        ({"format": 1, "members": {"tables/stocks": TABLE | {"columns": 7}}}, "7 is not of type 'array'"),
        ({"format": 1, "members": {}, "sequences": {"stocks": "now"}}, "'now' is not of type 'integer'"),
        *(
            ({"format": 1, "members": {name: {"sha256": ""}}}, "does not match")
            for name in (
                "../../etc/passwd",
                "/etc/passwd",
                "models/./x",
                "models/../x",
                "models/m/../x",
                "models/.m/x",
                "models/x",
                "models//x",
                "models/m/x/y",
                "models/m/x\n",
                "models/m\\x/y",
                "models/m/x\0",
                "",
            )
        ),
    ],
)
def test_a_manifest_of_another_form_is_refused(tmp_path: Path, manifest: Any, reason: str) -> None:
    path = tmp_path / "odd.zip"
    with zipfile.ZipFile(path, "w") as odd:
        odd.writestr("manifest.json", json.dumps(manifest))
    with pytest.raises(BackupError, match=re.escape(reason)):
        contents(path)


def test_a_manifest_that_would_fill_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_LONGEST_MANIFEST", 1 << 20)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("manifest.json", b" " * (2 << 20))
    with pytest.raises(BackupError, match=r"manifest\.json has more than 1 MB"):
        ArchiveReader(path)
