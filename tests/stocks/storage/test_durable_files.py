"""Durable files: old contents or new ones, nothing between, and on the disk before they have their name."""

import os
from pathlib import Path

import pytest

from stocks.storage.durable_files import LEFTOVERS, flush_to_disk, move_into_place, replace_file


def test_contents_are_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "figures.json"
    for contents in ("first", "second"):
        with replace_file(path) as temporary:
            temporary.write_text(contents)
            assert temporary.suffix == path.suffix
            assert temporary.match(LEFTOVERS)
        assert path.read_text() == contents
    assert list(path.parent.iterdir()) == [path]


def test_an_error_keeps_the_old_contents_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    path.write_text("old")

    def write_half() -> None:
        with replace_file(path) as temporary:
            temporary.write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_contents_reach_the_disk_before_the_name_and_the_name_after(tmp_path, monkeypatch) -> None:
    events: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def recorded_fsync(descriptor: int) -> None:
        events.append(f"fsync {Path(f'/proc/self/fd/{descriptor}').readlink().relative_to(tmp_path)}")
        fsync(descriptor)

    def recorded_replace(path: Path, target: Path) -> Path:
        events.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(Path, "replace", recorded_replace)
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "a.txt").write_text("a")
    move_into_place(tmp_path / "made", tmp_path / "final")
    assert events == ["fsync made", "fsync made/a.txt", "rename", "fsync ."]
    assert (tmp_path / "final" / "a.txt").read_text() == "a"


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        flush_to_disk(tmp_path / "absent")
