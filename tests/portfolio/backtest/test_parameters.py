"""The terms of a backtest."""

from datetime import date
from decimal import Decimal

import pytest

from portfolio.backtest.parameters import BacktestError, Parameters, parameters

GIVEN = {"strategy": "model", "first": "2025-01-01", "last": "2025-12-31", "capital": "1000000"}


def test_texts_become_what_they_mean_and_the_rest_has_defaults():
    terms = parameters({**GIVEN, "keep": "30", "every": None})
    assert terms == Parameters("model", date(2025, 1, 1), date(2025, 12, 31), Decimal(1_000_000), keep=30)
    assert (terms.holdings, terms.every, terms.reweigh, terms.settlement) == (20, 10, "none", "real")
    assert (terms.broker, terms.charges, terms.fractional, terms.impact) == ("zerodha", True, False, True)


def test_the_terms_as_they_are_stored():
    assert parameters(GIVEN).as_json() == {
        "strategy": "model",
        "first": "2025-01-01",
        "last": "2025-12-31",
        "capital": "1000000",
        "holdings": 20,
        "keep": 40,
        "every": 10,
        "reweigh": "none",
        "settlement": "real",
        "broker": "zerodha",
        "fractional": False,
        "impact": True,
    }
    assert parameters({**GIVEN, "charges": False, "fractional": True}).as_json()["broker"] is None


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"strategy": "luck"}, "no strategy 'luck'; choose from"),
        ({"strategy": ""}, "needs a value of 'strategy'"),
        ({"broker": "nobody"}, "no broker 'nobody'; choose from zerodha, fyers, simulator"),
        ({"reweigh": "often"}, "no reweigh 'often'; choose from none, equal"),
        ({"settlement": "T+2"}, "no settlement 'T\\+2'; choose from real, ideal"),
        ({"first": "2026-01-01"}, "begins on 2026-01-01, after its end 2025-12-31"),
        ({"first": "01.01.2025"}, "first '01.01.2025' is not a date"),
        ({"last": None}, "needs a value of 'last'"),
        ({"capital": "0"}, "capital 0 is not a positive amount"),
        ({"capital": "-5"}, "capital -5 is not a positive amount"),
        ({"capital": "NaN"}, "capital NaN is not a positive amount"),
        ({"capital": "sNaN"}, "capital sNaN is not a positive amount"),
        ({"capital": "Infinity"}, "capital Infinity is not a positive amount"),
        ({"capital": "1e30"}, "is more than ₹1,000,000,000,000"),
        ({"capital": "10.005"}, "has parts of a paisa"),
        ({"capital": "much"}, "capital 'much' is not an amount"),
        ({"holdings": 0}, "holdings 0 is not a whole number from 1 to 150"),
        ({"holdings": "2.5"}, "holdings '2.5' is not a whole number"),
        ({"keep": 151}, "keep 151 is not a whole number from 1 to 150"),
        ({"every": -1}, "every -1 is not a whole number from 1 to 1000"),
        ({"holdings": 41}, "holdings 41 is above keep 40"),
        ({"fractional": True}, "leave them out to hold fractional shares"),
        ({"leverage": 3}, "'leverage' is no parameter of a backtest"),
    ],
)
def test_what_is_not_allowed_is_a_sentence(changed, sentence):
    with pytest.raises(BacktestError, match=sentence):
        parameters({**GIVEN, **changed})
