"""What a strategy's parameters may hold, and what holds where they are silent."""

from collections.abc import Mapping
from typing import Any, Final

from django.core.exceptions import ValidationError

from brokers.charges import BROKERS
from portfolio.backtest.parameters import MOST_PLACES, MOST_SESSIONS, REWEIGH, Parameters
from stocks.picks import screening

DEFAULTS: Final[Mapping[str, Any]] = {
    "holdings": Parameters.holdings,
    "keep": Parameters.keep,
    "every": Parameters.every,
    "reweigh": Parameters.reweigh,
    "broker": Parameters.broker,
    "sector_cap": None,
    "stop": None,
    "target": None,
}
"""The terms by which a list is traded unless a strategy says otherwise; capital is a column of its own."""

NOT_HONOURED: Final = ("sector_cap", "stop", "target")
"""Terms that nothing trades by yet: refused, so that nobody relies on one."""

SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "limit": {"type": "integer", "minimum": 1, "maximum": screening.MAX_PICKS},
        "thresholds": {"type": "object", "additionalProperties": {"type": "number"}},
        "holdings": {"type": "integer", "minimum": 1, "maximum": MOST_PLACES},
        "keep": {"type": "integer", "minimum": 1, "maximum": MOST_PLACES},
        "every": {"type": "integer", "minimum": 1, "maximum": MOST_SESSIONS},
        "reweigh": {"enum": list(REWEIGH)},
        "broker": {"enum": list(BROKERS)},
        **{name: {} for name in NOT_HONOURED},
    },
    "additionalProperties": False,
}

HELP: Final = (
    "A JSON object; what it leaves out has its default. holdings: shares held at most (20). keep: place down to which a"
    " held share stays (40), at least holdings. every: sessions between two decisions (10). reweigh: none, or equal to"
    " bring every holding back to its part. broker: whose charges are taken (zerodha, fyers, simulator). sector_cap,"
    " stop and target: none; nothing trades by them yet, so a value is refused. limit, thresholds: of the list itself."
)


def validate_parameters(value: object) -> None:
    """Reject strategy parameters that the schema does not allow: the ValidationError names the first invalid key."""
    from jsonschema import Draft202012Validator  # slow, and models are loaded by every command

    for error in Draft202012Validator(SCHEMA).iter_errors(value):
        where = "/".join(map(str, error.absolute_path)) or "parameters"
        raise ValidationError(f"{where}: {error.message}")
    if not isinstance(value, Mapping):
        return
    terms = terms_of(value)
    if terms["keep"] < terms["holdings"]:
        raise ValidationError(
            f"keep: {terms['keep']} is below holdings, {terms['holdings']}: a share that is held must have a place to"
            f" stay. Give keep {terms['holdings']} or more."
        )
    for name in NOT_HONOURED:
        if terms[name] is not None:
            raise ValidationError(
                f"{name}: nothing trades by it yet, so {terms[name]!r} would be ignored; leave it out."
            )


def terms_of(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The terms that a strategy is traded by: its own, and the defaults of the others."""
    return {name: parameters.get(name, default) for name, default in DEFAULTS.items()}
