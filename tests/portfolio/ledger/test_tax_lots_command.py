"""The command `tax_lots` and its file: what it prints, and what it refuses."""

import io
import json

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from tests.portfolio.ledger.ledgers import HEADER

BUY = "2025-01-02,buy,ACME,10,100.50,2.25,,2025-01-03,"
SELL = "2025-06-02,sell,ACME,4,150,1,,,"


@pytest.fixture
def run(tmp_path):
    def answer(*lines, header=HEADER, arguments=("--json",)):
        path = tmp_path / "ledger.csv"
        path.write_text("\n".join([header, *lines]))
        out = io.StringIO()
        call_command("tax_lots", f"--ledger={path}", *arguments, stdout=out)
        return out.getvalue()

    return answer


def test_one_object(run):
    """1,005 + 2.25 = 1,007.25 for ten: 402.90 for four, sold for 599."""
    answer = json.loads(run(BUY, SELL))
    assert answer["lots"] == [{"symbol": "ACME", "bought_on": "2025-01-02", "quantity": 6, "cost": "604.35"}]
    assert [(row["proceeds"], row["cost"], row["gain"]) for row in answer["disposals"]] == [
        ("599.00", "402.90", "196.10")
    ]
    assert list(answer["years"]) == ["2025-26"]
    assert answer["years"]["2025-26"]["tax"] == "39.22"


def test_a_table_for_people(run):
    text = run(BUY, SELL, arguments=())
    for part in ("Disposals: 1", "Open lots: 1", "604.35", "2025-26", "20: 196.10", "Surcharge and cess are left out"):
        assert part in text
    assert "Disposals: none" in run(BUY, arguments=())


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("2025-02-03,gift,ACME,1,1,,,,", "Line 3: kind 'gift' is not known; write one of opening, buy, sell, split"),
        ("2025-02-03,sell,ACME,-1,1,,,,", "Line 3: quantity '-1' is not a positive whole number"),
        ("2025-02-03,sell,ACME,0,1,,,,", "Line 3: quantity '0' is not"),
        ("2025-02-03,sell,ACME,1,NaN,,,,", "Line 3: price 'NaN' is not a positive amount"),
        ("2025-02-03,sell,ACME,1,0,,,,", "Line 3: price '0' is not a positive amount"),
        ("2025-02-03,sell,ACME,1,1,-1,,,", "Line 3: charges '-1' is not an amount in ₹ from 0"),
        ("2025-02-03,sell,ACME,1,1,,2,,", "Line 3: ratio '2' is not used by sell; leave it empty"),
        ("2025-02-03,split,ACME,,,,0,,", "Line 3: ratio '0' is not a positive ratio"),
        ("2025-02-03,split,ACME,,,,NaN,,", "Line 3: ratio 'NaN' is not a positive ratio"),
        ("2025-02-03,split,ACME,,,,1:0,,", "Line 3: ratio '1:0' is not a positive ratio"),
        ("2025-02-03,bonus,ACME,,,,1,,", r"Line 3: credited_on \(empty\) is not known yet; leave the bonus out"),
        ("2025-02-03,bonus,ACME,,,,1,2025-02-01,", "Line 3: credited_on '2025-02-01' lies before the date 2025-02-03"),
        ("2025-02-30,sell,ACME,1,1,,,,", "Line 3: date '2025-02-30' is not a date"),
        ("20250203,sell,ACME,1,1,,,,", "Line 3: date '20250203' is not a date"),
        ("2025-01-01,sell,ACME,1,1,,,,", "Line 3: date 2025-01-01 lies before 2025-01-02"),
        ("2025-02-03,sell,ACME,11,1,,,,", "Line 3: 11 ACME are sold on 2025-02-03, 1 more than can be"),
    ],
)
def test_a_bad_line_is_a_sentence_without_figures(run, line, sentence):
    with pytest.raises(CommandError, match=sentence):
        run(BUY, line)


def test_a_missing_column(run):
    with pytest.raises(CommandError, match="The column credited_on is missing"):
        run("2025-01-02,buy,ACME,1,1,,,", header=HEADER.replace(",credited_on", ""))
