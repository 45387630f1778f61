"""Mutations: damaged copies of a valid file.

Structure-aware: cells, lines, the header, the encoding, the packing; and below all that, single bytes.
"""

import gzip
import io
import zipfile
from collections.abc import Callable

from hypothesis import strategies as st

CELLS = (
    *("", " ", "-", " -", "--", "N/A", "nan", "NaN", "null", "None", "True", "yes", "inf", "-inf", "Infinity"),
    *("0", "-0", "0.0", "-1", "-0.01", "0.001", "1e-320", "1e300", "-1e300", "1e5", "1.5", "1e999", "7" * 40),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775809", "99999999999999999999", "1" * 400),
    *("1,000", "1.000,00", "1 000", "₹10", "10%", "(10)", "0x1F", "1_000", "１２", "٣", "½", "+5", "5-", "1e", "."),
    *(" EQ", "EQ ", "eq", "BE", "BZ", "GS", "N1", "SM", "XX", "EQUITY"),
    *("AAA", "aaa", " AAA ", "A" * 51, "A" * 300, "A B", "A;B", "../etc", "=1+1", "@SUM(A1)", "é", "株", "💩", "'"),
    *(
        "\u202e",
        "\x00",
        "A\x00B",
        "\x1a",
        "\x0b",
        "\ufeff",
        "\ufffd",
        "\x85",
        "\u2028",
        '"',
        '""',
        '"a',
        'a"b',
        "\\",
        "<b>",
        "{",
    ),
    *("01-Jan-2025", "31-Dec-9999", "01-Jan-0001", "31-Feb-2024", "00-Jan-2025", "1-1-1", "2024-02-30", "9999-12-31"),
    *("0001-01-01", "20250101", "01/02/2025", "Dec-24", "Dec-00", "Dec-99", "Foo-24", "dec-24", "202513", "999912"),
    *("INE000A01010", "INE", "INE000A01010X", "DUMMY", "None", "\t", "\t7"),
    *("Bonus 1:0", "Bonus 0:0", "Bonus 1:1e9", "Bonus 999999999999:1", "Face Value Split From Rs 0/- To Rs 0/-"),
    *("Face Value Split (Sub-Division) - From Rs 1000000/- To Re 0.0001/-", "Dividend", "25:99", "09:15", "9:15:00.5"),
)
JUNK = (
    *(b"\x00", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\r", b"\n", b",", b'"', b";", b"<html>"),
    *(b"\x1f\x8b", b"PK\x03\x04", b"\xc3", b"\xed\xa0\x80"),
)

Change = Callable[[bytes], bytes]


@st.composite
def damaged(draw: st.DrawFn, valid: bytes) -> bytes:
    """Draw a copy of a text file with one to four mutations."""
    content = valid
    for _ in range(draw(st.integers(1, 4))):
        content = draw(st.sampled_from(_CHANGES))(draw, content)
    return content


def anything() -> st.SearchStrategy[bytes]:
    """Arbitrary bytes, which are a valid file only by chance."""
    texts = st.text(st.sampled_from('ABQE,;"\n\r\t -0123456789.:<{}[]eé\x00\ufeff'), max_size=300).map(str.encode)
    return st.one_of(st.binary(max_size=300), texts, st.sampled_from(JUNK), st.just(b""))


def _split(content: bytes) -> list[list[str]]:
    return [line.split(",") for line in content.decode("utf-8", "surrogateescape").split("\n")]


def _joined(rows: list[list[str]]) -> bytes:
    return "\n".join(",".join(row) for row in rows).encode("utf-8", "surrogateescape")


def _some_cell(draw: st.DrawFn, rows: list[list[str]], first: int = 0) -> tuple[int, int]:
    line = draw(st.integers(min(first, len(rows) - 1), len(rows) - 1))
    return line, draw(st.integers(0, len(rows[line]) - 1))


def _cell(draw: st.DrawFn, content: bytes) -> bytes:
    """Replace a cell, or that column in all lines."""
    rows = _split(content)
    line, place = _some_cell(draw, rows, 1)
    value = draw(st.one_of(st.sampled_from(CELLS), st.sampled_from(CELLS), st.text(max_size=8)))
    value = value.encode("utf-8", "replace").decode()
    all_lines = draw(st.integers(0, 7)) == 0
    for row in rows[1:] if all_lines else [rows[line]]:
        if place < len(row):
            row[place] = value
    return _joined(rows)


def _swap(draw: st.DrawFn, content: bytes) -> bytes:
    rows = _split(content)
    a, b = _some_cell(draw, rows), _some_cell(draw, rows)
    rows[a[0]][a[1]], rows[b[0]][b[1]] = rows[b[0]][b[1]], rows[a[0]][a[1]]
    return _joined(rows)


def _fields(draw: st.DrawFn, content: bytes) -> bytes:
    """Remove, insert or duplicate a field of a line."""
    rows = _split(content)
    line, place = _some_cell(draw, rows)
    what = draw(st.integers(0, 2))
    if what == 0:
        del rows[line][place]
    else:
        rows[line].insert(place, rows[line][place] if what == 1 else draw(st.sampled_from(CELLS)))
    return _joined(rows)


def _lines(draw: st.DrawFn, content: bytes) -> bytes:
    """Remove, duplicate or move a line, or duplicate it with another value."""
    rows = _split(content)
    line, place = _some_cell(draw, rows)
    what = draw(st.integers(0, 3))
    if what == 0:
        del rows[line]
    elif what == 1:
        rows.insert(draw(st.integers(0, len(rows))), list(rows[line]))
    elif what == 2:
        rows.insert(draw(st.integers(0, len(rows) - 1)), rows.pop(line))
    else:
        twin = list(rows[line])
        if place < len(twin):
            twin[place] = draw(st.sampled_from(CELLS))
        rows.insert(line, twin)
    return _joined(rows) if rows else b""


def _columns(draw: st.DrawFn, content: bytes) -> bytes:
    """Drop, duplicate or swap columns of all lines, with or without their heading."""
    rows = _split(content)
    width = max(map(len, rows))
    a, b, what = draw(st.integers(0, width - 1)), draw(st.integers(0, width - 1)), draw(st.integers(0, 3))
    for row in rows if what < 3 else rows[1:]:
        if max(a, b) >= len(row):
            continue
        if what == 0:
            del row[a]
        elif what == 1:
            row.append(row[a])
        else:
            row[a], row[b] = row[b], row[a]
    return _joined(rows)


def _bytes(draw: st.DrawFn, content: bytes) -> bytes:
    place = draw(st.integers(0, len(content)))
    what = draw(st.integers(0, 3))
    if what == 0:
        return content[:place]
    if what == 1:
        return content[place:]
    if what == 2:
        return content[:place] + draw(st.sampled_from(JUNK)) + content[place:]
    return content[:place] + bytes([draw(st.integers(0, 255))]) + content[place + 1 :]


def _encoding(draw: st.DrawFn, content: bytes) -> bytes:
    text = content.decode("utf-8", "replace")
    encoding = draw(st.sampled_from(("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "latin-1", "cp037")))
    return text.encode(encoding, "replace")


def _ends(draw: st.DrawFn, content: bytes) -> bytes:
    """Change all line ends, or all separators."""
    if draw(st.booleans()):
        return content.replace(b"\n", draw(st.sampled_from((b"\r\n", b"\r", b"\n\n", b"\r\r\n", b""))))
    return content.replace(b",", draw(st.sampled_from((b";", b"\t", b", ", b",,", b'","'))))


# Cells and lines more often: they get past the first checks of a file.
_CHANGES = (_cell, _cell, _cell, _cell, _lines, _lines, _fields, _swap, _columns, _bytes, _encoding, _ends)


def zipped(name: str, content: bytes) -> bytes:
    """A zip with one member."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), content)
    return buffer.getvalue()


@st.composite
def packed(draw: st.DrawFn, name: str, content: bytes) -> bytes:
    """Pack into a zip, mostly a valid one; sometimes its bytes, its names or the number of its members are wrong."""
    what = draw(st.integers(0, 9))
    if what < 7:
        return zipped(name, content)
    if what == 7:
        return _bytes(draw, _bytes(draw, zipped(name, content)))
    buffer = io.BytesIO()
    method = draw(st.sampled_from((zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2)))
    names = draw(st.lists(st.sampled_from((name, "../" + name, "/etc/x.csv", "a/b.csv", "x.txt")), unique=True))
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for other in names:
            archive.writestr(other, content)
    archived = buffer.getvalue()
    return archived if what == 8 else _bytes(draw, archived)


@st.composite
def gzipped(draw: st.DrawFn, content: bytes) -> bytes:
    """Pack with gzip, sometimes damaged afterwards."""
    compressed = gzip.compress(content, 1, mtime=0)
    return _bytes(draw, compressed) if draw(st.integers(0, 9)) == 0 else compressed
