"""Parameters of strategies: defaults, and a sentence for each value that is not allowed."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from portfolio.backtest.queries import defaults
from portfolio.strategy_parameters import DEFAULTS, terms_of, validate_parameters


def test_silent_parameters_have_the_defaults_of_a_backtest() -> None:
    validate_parameters({})
    assert terms_of({}) == DEFAULTS
    assert {name: value for name, value in terms_of({}).items() if name in defaults()} == {
        name: value for name, value in defaults().items() if name in DEFAULTS
    }
    assert terms_of({"keep": 60})["keep"] == 60


@pytest.mark.parametrize(
    "allowed",
    [
        {"holdings": 10, "keep": 10, "every": 1, "reweigh": "equal", "broker": "fyers"},
        {"sector_cap": None, "stop": None, "target": None, "limit": 20, "thresholds": {"min_price": 50}},
    ],
)
def test_what_is_allowed(allowed: dict[str, Any]) -> None:
    validate_parameters(allowed)


@pytest.mark.parametrize(
    ("refused", "sentence"),
    [
        ({"holdings": 50}, "keep: 40 is below holdings, 50"),
        ({"keep": 5}, "keep: 5 is below holdings, 20"),
        ({"holdings": 0}, "holdings: 0 is less than the minimum of 1"),
        ({"every": 1.5}, "every: 1.5 is not of type 'integer'"),
        ({"reweigh": "daily"}, "reweigh: 'daily' is not one of"),
        ({"broker": "me"}, "broker: 'me' is not one of"),
        ({"stop": 5}, "stop: nothing trades by it yet, so 5 would be ignored"),
        ({"sector_cap": 0.3}, "sector_cap: nothing trades by it yet"),
        ({"target": 0}, "target: nothing trades by it yet"),
        ({"leverage": 2}, "'leverage' was unexpected"),
        ([], "is not of type 'object'"),
    ],
)
def test_what_is_refused(refused: Any, sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        validate_parameters(refused)
