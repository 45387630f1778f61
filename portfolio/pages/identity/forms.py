"""The field that asks somebody for a proof: for the password, or for a code where a second factor is enrolled."""

from django import forms

from portfolio.identity.second_factor import factor_of
from portfolio.models import User
from portfolio.pages.trading.forms import TradingForm

_CODE = {"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false"}


def proof_field(person: User) -> forms.CharField:
    """The field of what is needed of a person."""
    if factor_of(person):
        return forms.CharField(
            label="Code of your second factor",
            max_length=40,
            widget=forms.TextInput(attrs=_CODE),
            help_text="The six digits that your app shows, or a recovery code; each serves once.",
        )
    return forms.CharField(
        label="Your password on this site",
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class ProofForm(TradingForm):
    """What proves who a person is."""

    def __init__(self, person: User, *arguments: object, **options: object) -> None:
        self.person = person
        super().__init__(*arguments, **options)

    def set_choices(self) -> None:
        self.fields["proof"] = proof_field(self.person)


class FirstCodeForm(TradingForm):
    """The first code of an app that was just set up."""

    code = forms.CharField(
        label="Code that the app shows", max_length=40, widget=forms.TextInput(attrs=_CODE | {"inputmode": "numeric"})
    )
