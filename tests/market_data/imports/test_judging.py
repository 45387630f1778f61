"""A file: refused as a whole by a sentence, or rows and errors with line, column and value."""

import gzip
import io
import zipfile

import pytest

from market_data.imports import judging
from market_data.imports.judging import doubled, judged, unpacked, without
from market_data.imports.kinds import KINDS
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
        judged(content, "days.csv", DAYS)
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
    found = judged(content, "days.csv", DAYS)
    assert found.errors == []
    assert found.rows.to_dict("records")[0]["kind"] == "holiday"
    assert found.rows[LINE].tolist() == [2]


@pytest.mark.parametrize(
    ("content", "told"),
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
        (b'date,kind,is_session\n"2027-01-26,holiday,no\n2027-01-27,holiday,no\n', "runs on"),
        (b"PK\x03\x04 no zip", "is not a readable zip"),
        (b"\x1f\x8b no gzip", "is no whole gzip"),
        (zipped(GOOD.encode(), "a.txt"), "0 csv files"),
    ],
    ids=range(13),
)
def test_what_is_no_such_table_is_refused_by_a_sentence(content, told):
    assert told in refusal(content)


def test_a_bomb_is_not_unpacked_beyond_the_limit(monkeypatch):
    bomb = zipped(b"0" * (judging.MAX_BYTES + 1))
    assert len(bomb) < 100_000
    assert "holds more than" in refusal(bomb)
    assert "holds more than" in refusal(gzip.compress(b"0" * (judging.MAX_BYTES + 1)))
    with pytest.raises(FileUnreadable, match="in parts"):
        unpacked(b"x" * (judging.MAX_BYTES + 1), "a.csv")
    monkeypatch.setattr(judging, "MAX_ROWS", 0)
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
    found = judged(text.encode(), "days.csv", DAYS)
    assert [(error.line, error.column, error.value) for error in sorted(found.errors)] == [
        (4, "date", "26.01.2027"),
        (4, "kind", "holidy"),
        (5, "", "2027-03-01,normal,yes,09:15"),
        (6, "is_session", ""),
    ]
    assert found.bad_lines == {4, 5, 6}
    assert found.ignored == ["remark"]
    assert without(found.rows, found.bad_lines)[LINE].tolist() == [2]


def test_a_repeated_key_names_the_line_that_has_it():
    text = GOOD + "2027-01-27,holiday,no,,\n2027-01-26,normal,yes,,\n"
    [error] = doubled(judged(text.encode(), "days.csv", DAYS).rows, ("date",))
    assert (error.line, error.value, error.reason) == (4, "2027-01-26", "stands in line 2 already")
    bars = "symbol,date,open,high,low,close,volume\nAAA,2026-04-30,1,1,1,1,1\naaa,2026-04-30,1,1,1,1,1\n"
    [error] = doubled(judged(bars.encode(), "b.csv", KINDS["historical_bars"].columns).rows, ("symbol", "date"))
    assert (error.line, error.value) == (3, "AAA, 2026-04-30")
