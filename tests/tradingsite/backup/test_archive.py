"""The back-up file: complete or absent, and no byte of it can change unnoticed."""

import json
import os
import resource
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from tradingsite.backup.archive import ArchiveReader, ArchiveWriter, BackupError

ROWS = b"".join(f"{number}\tA{number % 7}\t\\N\n".encode() for number in range(5000))


def write_archive(path: Path, content: bytes = ROWS) -> Path:
    with ArchiveWriter(path) as writer:
        with writer.member("tables/stocks", rows=5000) as sink:
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
    for place in range(0, len(whole), 7):
        changed.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        with suppress(BackupError):
            assert contents(changed) == content, f"byte {place}"
            unnoticed += 1
    assert unnoticed < 0.4 * len(whole) / 7


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


def test_a_newer_format_and_a_name_leading_elsewhere_are_refused(tmp_path: Path) -> None:
    for manifest, reason in (
        ({"format": 99, "members": {}}, "update first"),
        ({"format": 1, "members": {"../../etc/passwd": {"sha256": ""}}}, "leads out of the target folder"),
    ):
        path = tmp_path / "odd.zip"
        with zipfile.ZipFile(path, "w") as odd:
            odd.writestr("manifest.json", json.dumps(manifest))
        with pytest.raises(BackupError, match=reason):
            contents(path)
