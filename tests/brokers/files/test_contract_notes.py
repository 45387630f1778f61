"""Contract notes: what a file states, beside what is computed from its fills."""

import io
import json
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from brokers.files.contract_notes import COLUMNS, LINES

# Bought 100 at 200 at Zerodha: turnover 20,000; STT 20, exchange 0.594, IPFT and SEBI 0.02, stamp duty 3, GST 0.11412.
STATED = dict(zip(LINES, ("0.00", "20.00", "0.59", "0.02", "0.02", "3.00", "0.11", "23.74"), strict=True))
FILL = "1,ACME,share,cnc,buy,100,200,,"


def note_file(*, fills=(FILL,), number="CN-1", more=(), **lines):
    stated = {"number": number} | STATED | lines
    rows = [f",,,,,,,{name},{value}" for name, value in stated.items() if value is not None]
    return "\n".join([",".join(COLUMNS), *fills, *rows, *more])


@pytest.fixture
def run(tmp_path):
    def answer(content, *options, broker="zerodha", day="2026-04-30"):
        path = tmp_path / "note.csv"
        path.write_text(content)
        out = io.StringIO()
        call_command("contract_note", f"--broker={broker}", f"--date={day}", f"--file={path}", *options, stdout=out)
        return out.getvalue()

    return answer


def test_equal_lines_and_those_that_differ(run):
    equal = json.loads(run(note_file(), "--json"))
    assert equal["number"] == "CN-1"
    assert [row["line"] for row in equal["lines"]] == list(LINES)
    assert {row["difference"] for row in equal["lines"]} == {"0.00"}
    # A note that rounds stamp duty of 3.00 to 4 and forgets IPFT.
    other = json.loads(run(note_file(stamp_duty="4", ipft="0", total="24.72"), "--json"))
    differing = {row["line"]: row["difference"] for row in other["lines"] if Decimal(row["difference"])}
    assert differing == {"stamp_duty": "1.00", "ipft": "-0.02", "total": "0.98"}
    assert other["surplus"] == "0.00"


def test_a_table_names_each_difference_and_a_total_that_does_not_add_up(run):
    text = run(note_file(total="23.75"))
    assert "differs by ₹0.01" in text
    assert text.count("equal") == len(LINES) - 1
    assert "exceeds the sum of its own lines by ₹0.01" in text


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (note_file(gst=None), "The line gst is missing; the note needs number, brokerage"),
        (note_file(number=""), r"value \(empty\) is not a text"),
        (note_file(more=[",,,,,,,gst,0.11"]), "Line 12: line 'gst' is already on line 10; state it once"),
        (note_file(more=[",,,,,,,cess,0.11"]), "Line 12: line 'cess' is not known; write one of number, brokerage"),
        (note_file(more=["7,,,,,,,gst,0.11"]), "Line 12: line 'gst' is already"),
        (note_file(gst=None, more=["7,,,,,,,gst,0.11"]), "Line 11: order '7' stands beside a line of the note"),
        (note_file(fills=[FILL + "5"]), "Line 2: value '5' belongs to no line"),
        (note_file(fills=[]), "The file has no fills"),
        (note_file(fills=["1,ACME,share,cnc,buy,0,200,,"]), "Line 2: quantity '0' is not"),
        (note_file(gst="NaN"), "value 'NaN' is not an amount"),
        (note_file(gst="-1"), "value '-1' is not an amount"),
        (note_file(gst="0.111"), "value '0.111' has more than two decimals"),
    ],
)
def test_a_bad_file_is_a_sentence_without_figures(run, content, sentence):
    with pytest.raises(CommandError, match=sentence):
        run(content)


def test_a_bad_broker_or_day(run):
    with pytest.raises(CommandError, match="no charges of 'nobody'"):
        run(note_file(), broker="nobody")
    with pytest.raises(CommandError, match=r"date '30\.4\.2026' is not a date; write it as YYYY-MM-DD"):
        run(note_file(), day="30.4.2026")
