"""Bad files and good ones: each ends in a sentence with the file's name, or in the intended table."""

import gzip
import io
import os
import zipfile

import pytest

from stocks.storage.file_contents import (
    FileUnreadable,
    decoded_text,
    file_bytes,
    gzip_contents,
    text_table,
    zip_contents,
)

TEXT = "SYMBOL, NAME\nAAA, Café\nM&M, 株\n"


def test_every_encoding_and_line_end_gives_the_same_table():
    rows = [["AAA", "Café"], ["M&M", "株"]]
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        for end in ("\n", "\r\n", "\r"):
            content = TEXT.replace("\n", end).encode(encoding)
            table = text_table(decoded_text(content, "x.csv"), "x.csv")
            assert table.rows.to_numpy().tolist() == rows, (encoding, end)
    assert decoded_text("A\né".encode("latin-1"), "x.csv") == "A\né"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \n", "is empty"),
        (b"a,b\n1,\x00", "NUL bytes"),
        ("a,b".encode("utf-16-le"), "NUL bytes"),
        (b"\xff\xfea", "UTF-16"),
        (b"<html>", "web page"),
        (b"a,a\n1,2", "names the column 'a' twice"),
        (b"a,b\n", "a header and no usable row"),
        (b'a,b\n1,"2\n3,4\n5,6', "a quoted text in line 2 does not end there"),
        (b"a,b\n1," + b"9" * 200_000, "is not csv"),
    ],
)
def test_anything_but_a_table_is_refused_with_the_file_name(content, reason):
    with pytest.raises(FileUnreadable, match=reason) as error:
        text_table(decoded_text(content, "x.csv"), "x.csv")
    assert "x.csv" in str(error.value)


def test_bad_lines_are_rejected_with_a_reason_and_the_others_kept():
    table = text_table("a,b\n1,2\n3\n4,5,6\n7,8,,\n\n9,\x07\n10," + "x" * 301 + "\n11,12", "x.csv")
    assert table.rows.to_numpy().tolist() == [["1", "2"], ["7", "8"], ["11", "12"]]
    assert [(line.line, line.reason) for line in table.rejected] == [
        (3, "line has 1 fields instead of 2"),
        (4, "line has 3 fields instead of 2"),
        (7, "a text holds control characters"),
        (8, "a text is longer than 300 characters"),
    ]


def test_a_zip_bomb_is_not_unpacked_beyond_the_limit():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.csv", b"0" * 1_000_000)
    for unpack, content in ((zip_contents, buffer.getvalue()), (gzip_contents, gzip.compress(b"0" * 1_000_000))):
        with pytest.raises(FileUnreadable, match="x holds more than 1,000 bytes"):
            unpack(content, "x", limit=1000)


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ([], "0 csv files"),
        (["a.csv", "b.csv"], "2 csv files"),
        (["../../etc/x.csv"], "holds the path '../../etc/x.csv'"),
        (["/etc/x.csv"], "holds the path"),
        (["a\\x.csv"], "holds the path"),
    ],
)
def test_a_zip_must_hold_exactly_one_plain_csv(names, reason):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"a,b")
    with pytest.raises(FileUnreadable, match=reason):
        zip_contents(buffer.getvalue(), "x.zip")


def test_an_encrypted_zip_is_refused():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x.csv", b"a,b")
    content = bytearray(buffer.getvalue())
    # The flag of an encrypted member, in the member's own header and in the directory's.
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(FileUnreadable, match=r"x\.zip is not a readable zip file .*encrypted"):
        zip_contents(bytes(content), "x.zip")


def test_an_unreadable_file_is_named_with_the_reason(tmp_path):
    for path, reason in ((tmp_path / "gone.csv", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(FileUnreadable, match=f"{path.name} cannot be read: {reason}"):
            file_bytes(path)
    large = tmp_path / "large.csv"
    large.write_bytes(b"0" * 11)
    with pytest.raises(FileUnreadable, match="more than 10 bytes"):
        file_bytes(large, limit=10)


def test_a_file_without_permission_is_named_with_the_reason(tmp_path):
    path = tmp_path / "secret.csv"
    path.write_bytes(b"a,b")
    path.chmod(0)
    if os.access(path, os.R_OK):  # the superuser may read everything: act as another account for a moment
        os.seteuid(65534)
    try:
        with pytest.raises(FileUnreadable, match=r"secret\.csv cannot be read: Permission denied"):
            file_bytes(path)
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
