"""The command `charges`."""

import io
import json

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

ORDER = {"broker": "zerodha", "date": "2026-04-30", "product": "cnc", "side": "sell", "quantity": "100", "price": "200"}


def run(**options):
    out = io.StringIO()
    call_command("charges", *(f"--{name}={value}" for name, value in (ORDER | options).items()), "--json", stdout=out)
    return json.loads(out.getvalue())


def test_one_object_with_amounts_as_text():
    assert run() == {
        "turnover": "20000",
        "brokerage": "0.00",
        "stt": "20.00",
        "exchange": "0.59",
        "ipft": "0.02",
        "sebi": "0.02",
        "stamp_duty": "0.00",
        "gst": "0.11",
        "total": "20.74",
        "dp": "15.34",
    }


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("quantity", "0", "quantity 0"),
        ("quantity", "1.5", "quantity '1.5' is not a whole number"),
        ("price", "abc", "price 'abc' is not an amount"),
        ("price", "NaN", "price NaN"),
        ("date", "30-04-2026", "date '30-04-2026' is not a date"),
        ("date", "2019-01-01", "2019-01-01 lies before"),
        ("broker", "nobody", "no charges of 'nobody'"),
    ],
)
def test_bad_input_is_a_sentence_without_figures(option, value, sentence):
    with pytest.raises(CommandError, match=sentence):
        run(**{option: value})
