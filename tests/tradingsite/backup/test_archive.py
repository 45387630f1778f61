"""The file of a back-up: whole or not there, and no byte of it can change unnoticed."""

import json
import os
import resource
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from tradingsite.backup.archive import ArchiveReader, ArchiveWriter, BackupError

ROWS = b"".join(f"{number}\tA{number % 7}\t\\N\n".encode() for number in range(5000))


def written(path: Path, content: bytes = ROWS) -> Path:
    with ArchiveWriter(path) as writer:
        with writer.member("tables/stocks", rows=5000) as sink:
            sink.write(content[:10])
            sink.write(content[10:])
        with writer.member("configuration/settings.json") as sink:
            sink.write(b"{}")
        assert writer.finish({"market": "simulated"}) == path.stat().st_size
    return path


def break_off(path: Path) -> None:
    with ArchiveWriter(path) as writer, writer.member("tables/stocks") as sink:
        sink.write(ROWS)
        raise ZeroDivisionError


def read_whole(path: Path) -> dict[str, bytes]:
    reader = ArchiveReader(path)
    for _ in reader.check():
        pass
    return {name: reader.content(name) for name in reader.members}


def test_what_was_written_is_read_and_only_the_owner_may(tmp_path: Path) -> None:
    path = written(tmp_path / "one.backup.zip")
    assert read_whole(path) == {"tables/stocks": ROWS, "configuration/settings.json": b"{}"}
    assert ArchiveReader(path).members["tables/stocks"]["rows"] == 5000
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_the_file_has_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "one.backup.zip"
    with ArchiveWriter(path) as writer:
        with writer.member("tables/stocks") as sink:
            sink.write(ROWS)
            assert not path.exists()
        assert not path.exists()
        writer.finish({})
    assert path.exists()


def test_a_writer_that_breaks_leaves_nothing_and_spares_the_earlier_file(tmp_path: Path) -> None:
    path = written(tmp_path / "one.backup.zip", b"earlier\n")
    with pytest.raises(ZeroDivisionError):
        break_off(path)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    assert read_whole(path)["tables/stocks"] == b"earlier\n"


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """The limit on a file's size stands in for the disk's: write answers with an error in the middle of the file."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            written(tmp_path / "one.backup.zip", os.urandom(1_000_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    whole = written(tmp_path / "one.backup.zip").read_bytes()
    cut = tmp_path / "cut.backup.zip"
    for length in range(0, len(whole), max(1, len(whole) // 100)):
        cut.write_bytes(whole[:length])
        with pytest.raises(BackupError, match=r"cut\.backup\.zip is cut off"):
            ArchiveReader(cut)


def test_no_changed_byte_goes_unnoticed(tmp_path: Path) -> None:
    """Each byte in turn: either a sentence, or it was one that carries nothing, and the content is the same."""
    path = written(tmp_path / "one.backup.zip")
    whole, content = path.read_bytes(), read_whole(path)
    changed = tmp_path / "changed.backup.zip"
    unnoticed = 0
    for place in range(0, len(whole), 7):
        changed.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        with suppress(BackupError):
            assert read_whole(changed) == content, f"byte {place}"
            unnoticed += 1
    assert unnoticed < 0.4 * len(whole) / 7


def test_a_member_that_was_exchanged_is_refused(tmp_path: Path) -> None:
    first, second = written(tmp_path / "1.zip"), written(tmp_path / "2.zip", ROWS.replace(b"A3", b"A4"))
    mixed = tmp_path / "mixed.zip"
    with zipfile.ZipFile(mixed, "w") as target, zipfile.ZipFile(first) as one, zipfile.ZipFile(second) as two:
        for name in one.namelist():
            target.writestr(name, (two if name == "tables/stocks" else one).read(name))
    with pytest.raises(BackupError, match=r"altered: tables/stocks has not the hash"):
        read_whole(mixed)


def test_a_page_and_a_missing_file_are_sentences(tmp_path: Path) -> None:
    page = tmp_path / "page.zip"
    page.write_text("<html>Not found</html>")
    with pytest.raises(BackupError, match="no back-up of this system"):
        ArchiveReader(page)
    with pytest.raises(BackupError, match=r"gone\.zip does not exist"):
        ArchiveReader(tmp_path / "gone.zip")


def test_a_newer_format_and_a_name_that_leads_elsewhere_are_refused(tmp_path: Path) -> None:
    for manifest, said in (
        ({"format": 99, "members": {}}, "update first"),
        ({"format": 1, "members": {"../../etc/passwd": {"sha256": ""}}}, "would be written elsewhere"),
    ):
        path = tmp_path / "odd.zip"
        with zipfile.ZipFile(path, "w") as odd:
            odd.writestr("manifest.json", json.dumps(manifest))
        with pytest.raises(BackupError, match=said):
            read_whole(path)
