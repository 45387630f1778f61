"""The form that starts a backtest: every error stands beside its field."""

from typing import Any, Final

from django import forms

from brokers.charges import TARIFFS
from portfolio.backtest import queries
from portfolio.backtest.parameters import (
    MOST_CAPITAL,
    MOST_PLACES,
    MOST_SESSIONS,
    REWEIGH,
    SETTLEMENT,
    BacktestError,
    Parameters,
    parameters,
)
from stocks.picks import screening

_DAY: Final = "Write it as 2024-07-31."
_WORDS: Final = {
    "none": "no: only what is bought is sized",
    "equal": "yes: every share back to an equal part",
    "real": "as the exchange settles",
    "ideal": "at once",
}


def _choices(names: Any) -> list[tuple[str, str]]:
    return [(name, _WORDS.get(name, name.capitalize())) for name in names]


def _whole(label: str, initial: int, most: int, help_text: str) -> forms.IntegerField:
    sentence = f"Give a whole number from 1 to {most}."
    return forms.IntegerField(
        label=label,
        min_value=1,
        max_value=most,
        initial=initial,
        help_text=help_text,
        error_messages=dict.fromkeys(("required", "invalid", "min_value", "max_value"), sentence),
    )


class BacktestForm(forms.Form):
    """A backtest's parameters; `terms` holds them once the form is valid."""

    strategy = forms.ChoiceField(label="List", choices=lambda: _choices(screening.STRATEGIES))
    first = forms.DateField(
        label="From",
        required=False,
        input_formats=["%Y-%m-%d"],
        help_text="Empty: since the list has places.",
        error_messages={"invalid": _DAY},
    )
    last = forms.DateField(
        label="To",
        required=False,
        input_formats=["%Y-%m-%d"],
        help_text="Empty: up to the last session.",
        error_messages={"invalid": _DAY},
    )
    capital = forms.DecimalField(
        label="Capital, ₹",
        initial=queries.DEFAULT_CAPITAL,
        min_value=1,
        max_value=MOST_CAPITAL,
        decimal_places=2,
        help_text="Each holding is given an equal part of it.",
        error_messages={
            **dict.fromkeys(("required", "invalid", "min_value"), "Give a positive amount, such as 1000000."),
            "max_value": f"Give at most {MOST_CAPITAL:,}.",
            "max_decimal_places": "Give at most two decimals: paise.",
        },
    )
    holdings = _whole("Holdings", Parameters.holdings, MOST_PLACES, "How many shares are held at most.")
    keep = _whole(
        "Keep down to place", Parameters.keep, MOST_PLACES, "A share that is held stays while its place is no worse."
    )
    every = _whole(
        "Decide every … sessions", Parameters.every, MOST_SESSIONS, "Carried out at the next session's open."
    )
    reweigh = forms.ChoiceField(label="Reweigh at each decision", choices=_choices(REWEIGH), initial=Parameters.reweigh)
    settlement = forms.ChoiceField(
        label="Proceeds are usable", choices=_choices(SETTLEMENT), initial=Parameters.settlement, required=False
    )
    broker = forms.ChoiceField(label="Charges of", choices=lambda: _choices(TARIFFS), required=False)
    charges = forms.BooleanField(label="Take charges", initial=True, required=False)
    impact = forms.BooleanField(
        label="Assume a price impact",
        initial=True,
        required=False,
        help_text="One's own order moves the price, and is cut at 5 % of a day's turnover.",
    )
    fractional = forms.BooleanField(
        label="Parts of shares", required=False, help_text="Only without charges, for comparisons."
    )

    terms: Parameters

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Give the fields the pages' classes, and tell readers aloud which sentences belong to them."""
        super().__init__(*arguments, **options)
        for name, field in self.fields.items():
            kinds: dict[type[Any], str] = {
                forms.CheckboxInput: "form-check-input",
                forms.Select: "form-select form-select-sm",
            }
            field.widget.attrs["class"] = kinds.get(type(field.widget), "form-control form-control-sm")
            described = [f"id_{name}-help"] if field.help_text else []
            if self.is_bound and name in self.errors:
                described.append(f"id_{name}-error")
            if described:
                field.widget.attrs["aria-describedby"] = " ".join(described)
            if name in ("first", "last"):
                field.widget.attrs |= {"placeholder": "2024-07-31", "maxlength": 10}

    def clean(self) -> dict[str, Any]:
        """Fill in the span and check what concerns more than one field."""
        entered: dict[str, Any] = super().clean() or {}
        self._fill_span(entered)
        if entered.get("keep", MOST_PLACES) < entered.get("holdings", 0):
            self.add_error(
                "keep", f"Give {entered['holdings']} or more: a share that is held must have a place to stay."
            )
        if entered.get("fractional") and entered.get("charges"):
            self.add_error("fractional", "Charges are those of whole shares: leave them out, or this.")
        if not self.errors:
            given = {name: value for name, value in entered.items() if value != ""}
            try:
                self.terms = parameters(given)
            except BacktestError as error:
                self.add_error(None, str(error))
        return entered

    def _fill_span(self, entered: dict[str, Any]) -> None:
        if "strategy" not in entered:
            return
        span = queries.span_of(entered["strategy"])
        if span is None:
            self.add_error(
                "strategy", f"The list {entered['strategy']} has no places in the pick history yet: choose another."
            )
            return
        for name, default in span._asdict().items():
            if name not in self.errors:
                entered[name] = entered.get(name) or default
        first, last = entered.get("first"), entered.get("last")
        if first and first > span.last:
            self.add_error("first", f"It lies after the last session, {span.last}.")
        elif last and last < span.first:
            self.add_error("last", f"The list {entered['strategy']} has places since {span.first}: choose a later day.")
        elif first and last and first > last:
            self.add_error("last", f"It lies before the first day, {first}.")
