"""The command `backtest`."""

import io
import json
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from tests.portfolio.backtest.markets import Day
from tests.portfolio.backtest.stored import event, store

pytestmark = pytest.mark.django_db
GIVEN = {
    "strategy": "model",
    "from": "2025-01-06",
    "to": "2025-01-31",
    "capital": "100000",
    "holdings": "2",
    "keep": "2",
}


def run(*flags: str, **changed: str) -> str:
    out = io.StringIO()
    call_command("backtest", *(f"--{name}={value}" for name, value in (GIVEN | changed).items()), *flags, stdout=out)
    return out.getvalue()


def market() -> None:
    days = store({"A": [Day(100, 101 + n % 3) for n in range(12)], "B": [Day(50, 50 + n) for n in range(12)]})
    event("A", days[9], "dividend", purpose="Dividend - Rs 5")


def test_one_object_on_standard_output(capsys):
    market()
    content = json.loads(run("--json", every="3"))
    assert content["parameters"]["every"] == 3
    assert {trade["side"] for trade in content["trades"]} == {"buy"}
    assert float(content["charges"]["total"]) > 0
    assert float(content["impact"]) > 0
    assert isinstance(content["cash"], str)
    assert isinstance(content["trades"][0]["quantity"], int)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "12 of 12 sessions\n")


def test_flags_leave_charges_and_impact_out():
    market()
    content = json.loads(run("--json", "--no-charges", "--no-impact", "--fractional"))
    assert (content["parameters"]["broker"], content["charges"]["total"], content["impact"]) == (None, "0.00", "0.0")
    assert isinstance(content["trades"][0]["quantity"], str)


def test_a_text_to_read():
    market()
    text = run(every="3")
    assert "2 holdings, kept to place 2, a decision every 3 sessions" in text
    assert "2025-01 " in text
    assert "2025-I " in text
    assert "Securities transaction tax" in text
    assert "Events that fell on a holding and are not booked: 1" in text
    assert "2025-01-17 A: Dividend - Rs 5" in text


BAD: list[tuple[dict[str, str], tuple[str, ...], str]] = [
    ({"capital": "0"}, (), "capital 0 is not a positive amount"),
    ({"capital": "-1"}, (), "capital -1 is not a positive amount"),
    ({"capital": "NaN"}, (), "capital NaN is not a positive amount"),
    ({"capital": "90"}, (), "capital 90 buys no share of anything on the lists"),
    ({"from": "2025-01-31", "to": "2025-01-06"}, (), "begins on 2025-01-31, after its end 2025-01-06"),
    ({"from": "2020-01-01", "to": "2020-12-31"}, (), "before the first stored bars"),
    ({"from": "2027-01-01", "to": "2027-12-31"}, (), "after the last stored bars"),
    ({"strategy": "value"}, (), "The list value has no places"),
    ({"strategy": "luck"}, (), "no strategy 'luck'"),
    ({"broker": "nobody"}, (), "no broker 'nobody'"),
    ({"holdings": "3"}, (), "holdings 3 is above keep 2"),
    ({"settlement": "late"}, (), "no settlement 'late'"),
    ({}, ("--fractional",), "leave them out to hold fractional shares"),
]


@pytest.mark.parametrize(("changed", "flags", "sentence"), BAD)
def test_bad_input_is_a_sentence_without_figures(changed: dict[str, str], flags: Any, sentence: str):
    market()
    with pytest.raises(CommandError, match=sentence):
        run("--json", *flags, **changed)
