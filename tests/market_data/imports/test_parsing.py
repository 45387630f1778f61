"""A file: refused as a whole, or rows and errors with line, column and value."""

import gzip
import io
import zipfile

import pytest

from market_data.imports import parsing
from market_data.imports.kinds import KINDS
from market_data.imports.parsing import decompressed, duplicate_errors, parsed_file, without_lines
from stocks.storage.file_contents import LINE, FileUnreadable

DAYS = KINDS["market_days"].columns
GOOD = "date,kind,is_session,open,close\n2027-01-26,holiday,no,,\n"


def zipped(content: bytes, name: str = "a.csv") -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return packed.getvalue()


def refusal(content: bytes) -> str:
    with pytest.raises(FileUnreadable) as refused:
        parsed_file(content, "days.csv", DAYS)
    return str(refused.value)


@pytest.mark.parametrize(
    "content",
    [
        GOOD.encode(),
        GOOD.encode("utf-16"),
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.replace("\n", "\r\n").encode(),
        GOOD.replace("date,kind", "Date, Kind").encode(),
        zipped(GOOD.encode()),
        gzip.compress(GOOD.encode()),
    ],
    # Packers write the time into the file, and two processes of one test run must give a case the same name.
    ids=["utf-8", "utf-16", "byte-order mark", "CRLF", "capitals", "zip", "gzip"],
)
def test_it_reads_what_spreadsheets_and_packers_write(content):
    file = parsed_file(content, "days.csv", DAYS)
    assert file.errors == []
    assert file.rows.to_dict("records")[0]["kind"] == "holiday"
    assert file.rows[LINE].tolist() == [2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (GOOD.replace("holiday", "caf\u00e9").encode("latin-1"), "is not UTF-8 text"),
        (b"<html>no</html>", "is a web page"),
        (GOOD.encode().replace(b"holiday", b"a\0b"), "NUL bytes"),
        (b"date,open\n2027-01-26,\n", "lacks the columns kind, is_session; its first line must name"),
        (b"date,date,kind,is_session\n2027-01-26,2027-01-26,holiday,no\n", "names the column 'date' twice"),
        (b"Date,date,kind,is_session\n2027-01-26,2027-01-26,holiday,no\n", "names the column 'date' twice"),
        (b"date,kind,is_session\n", "has a header and no usable row"),
        (b"date,kind,is_session\n2027-01-26," + b"9" * 10**7 + b",no\n", "line 2"),
        (b'date,kind,is_session\n"2027-01-26,holiday,no\n2027-01-27,holiday,no\n', "does not end there"),
        (b"PK\x03\x04 no zip", "is not a readable zip"),
        (b"\x1f\x8b no gzip", "is not a complete gzip"),
        (zipped(GOOD.encode(), "a.txt"), "0 csv files"),
    ],
    ids=range(13),
)
def test_a_file_that_is_not_such_a_table_is_refused(content, message):
    assert message in refusal(content)


def test_decompression_stops_at_the_limit(monkeypatch):
    bomb = zipped(b"0" * (parsing.MAX_BYTES + 1))
    assert len(bomb) < 100_000
    assert "holds more than" in refusal(bomb)
    assert "holds more than" in refusal(gzip.compress(b"0" * (parsing.MAX_BYTES + 1)))
    with pytest.raises(FileUnreadable, match="in parts"):
        decompressed(b"x" * (parsing.MAX_BYTES + 1), "a.csv")
    monkeypatch.setattr(parsing, "MAX_ROWS", 0)
    assert "more than 0" in refusal(GOOD.encode())


def test_every_wrong_cell_is_named_by_line_column_and_value():
    text = (
        "date,kind,is_session,open,close,remark\n"
        "2027-01-26,holiday,no,,,a\n"
        "\n"
        "26.01.2027,holidy,no,,,b\n"
        "2027-03-01,normal,yes,09:15\n"
        "2027-03-02,normal,,09:15,15:30,\n"
    )
    file = parsed_file(text.encode(), "days.csv", DAYS)
    assert [(error.line, error.column, error.value) for error in sorted(file.errors)] == [
        (4, "date", "26.01.2027"),
        (4, "kind", "holidy"),
        (5, "", "2027-03-01,normal,yes,09:15"),
        (6, "is_session", ""),
    ]
    assert file.bad_lines == {4, 5, 6}
    assert file.ignored == ["remark"]
    assert without_lines(file.rows, file.bad_lines)[LINE].tolist() == [2]


def test_a_repeated_key_names_the_line_that_has_it():
    text = GOOD + "2027-01-27,holiday,no,,\n2027-01-26,normal,yes,,\n"
    [error] = duplicate_errors(parsed_file(text.encode(), "days.csv", DAYS).rows, ("date",))
    assert (error.line, error.value, error.reason) == (4, "2027-01-26", "repeats line 2")
    bars = "symbol,date,open,high,low,close,volume\nAAA,2026-04-30,1,1,1,1,1\naaa,2026-04-30,1,1,1,1,1\n"
    rows = parsed_file(bars.encode(), "b.csv", KINDS["historical_bars"].columns).rows
    [error] = duplicate_errors(rows, ("symbol", "date"))
    assert (error.line, error.value) == (3, "AAA, 2026-04-30")
