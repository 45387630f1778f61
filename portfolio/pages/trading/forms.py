"""The forms of accounts and orders: errors stand beside their fields, a one-time key tells a second submission."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final
from uuid import uuid4

from django import forms

from brokers.charges import Side
from brokers.protocol import OrderType
from portfolio.accounts.creation import LIVE_BROKERS
from portfolio.orders.evidence import BROKERS_OWN, PRICED, TRIGGERED, UNPRICED
from portfolio.pages.trading import written
from portfolio.reconciliation.closing import Correction

MOST_OF_REASON: Final = 300
_TYPES: Final = {
    OrderType.LIMIT: "Limit",
    OrderType.MARKET: "Market",
    OrderType.STOP: "Stop",
    OrderType.STOP_MARKET: "Stop market",
}


class WrittenField(forms.CharField):
    """A text that is read exactly, by a function of `written`."""

    def __init__(self, read: Callable[[str], Any], **options: Any) -> None:
        super().__init__(**options)
        self.read = read

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            return self.read(text)
        except written.NotWritten as error:
            raise forms.ValidationError(str(error)) from error


class TradingForm(forms.Form):
    """A form with the classes of the pages, whose sentences are read out with their fields."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.set_choices()
        for name, field in self.fields.items():
            if isinstance(field.widget, forms.HiddenInput):
                continue
            is_choice = isinstance(field.widget, forms.Select)
            field.widget.attrs["class"] = f"form-{'select form-select' if is_choice else 'control form-control'}-sm"
            described = [f"id_{name}-help"] if field.help_text else []
            if self.is_bound and name in self.errors:
                described.append(f"id_{name}-error")
            if described:
                field.widget.attrs["aria-describedby"] = " ".join(described)

    def set_choices(self) -> None:
        """Set what is known only when the form is shown, before anything is read."""


def _new_key() -> str:
    return uuid4().hex


class OneTimeForm(TradingForm):
    """A form that is sent once: its key is made when it is shown."""

    key = WrittenField(written.one_time_key, widget=forms.HiddenInput, initial=_new_key)


class AccountForm(OneTimeForm):
    """A new paper account with what is paid in at first."""

    name = forms.CharField(
        max_length=100, strip=True, help_text="Yours alone, such as Momentum on paper.", label="Name of the account"
    )
    deposit = WrittenField(written.rupees, label="Starting deposit, ₹", initial="1000000.00")
    charges_of = forms.ChoiceField(
        label="Charges of",
        choices=lambda: [(name, name.capitalize()) for name in LIVE_BROKERS],
        help_text="Whose charges its orders are to bear.",
    )


class LiveAccountForm(TradingForm):
    """A live account of one's own access to a broker; it trades nothing until it is turned on."""

    live_name = forms.CharField(max_length=100, strip=True, label="Name of the account")
    broker = forms.ChoiceField(label="Your access at", choices=lambda: [(n, n.capitalize()) for n in LIVE_BROKERS])
    demat_id = forms.RegexField(
        r"^[0-9A-Z]{16}$",
        label="Demat id",
        required=False,
        help_text="Of the depository, 16 digits or letters.",
        error_messages={"invalid": "Give all 16 digits or letters of the demat id, or leave it empty."},
    )


class OrderForm(OneTimeForm):
    """An order by hand: what the checks need, and no more."""

    symbol = WrittenField(written.symbol, label="Share", help_text="The NSE's symbol, such as RELIANCE.")
    side = forms.ChoiceField(choices=[(side.value, side.value.capitalize()) for side in Side])
    quantity = WrittenField(written.quantity, label="Quantity, shares")
    order_type = forms.ChoiceField(
        label="Type",
        choices=[(kind.value, words) for kind, words in _TYPES.items()],
        help_text="Limit: at its price or better. A stop becomes an order once its trigger is reached.",
    )
    price = WrittenField(written.price, label="Limit price, ₹", required=False, help_text="For limit and stop.")
    trigger_price = WrittenField(
        written.price, label="Trigger price, ₹", required=False, help_text="For stop and stop market."
    )
    market_protection = WrittenField(
        written.protection,
        label="Market protection, %",
        required=False,
        help_text="For market and stop market: how far from the last price; empty: the broker's own.",
    )

    def clean(self) -> dict[str, Any]:
        """Ask for what the type needs and for nothing else."""
        entered: dict[str, Any] = super().clean() or {}
        if "order_type" not in entered:
            return entered
        kind = OrderType(entered["order_type"])
        self._needs("price", kind in PRICED, kind)
        self._needs("trigger_price", kind in TRIGGERED, kind)
        protection: Decimal | None = entered.get("market_protection")
        if kind in UNPRICED:
            entered["market_protection"] = BROKERS_OWN if protection is None else protection
        elif protection is not None:
            self.add_error("market_protection", f"An order of type {kind} has none: leave it empty.")
        return entered

    def _needs(self, name: str, is_needed: bool, kind: OrderType) -> None:
        if name in self.errors:
            return
        value = self.cleaned_data.get(name)
        if is_needed and value is None:
            self.add_error(name, f"An order of type {kind} needs one: give it in ₹.")
        elif not is_needed and value is not None:
            self.add_error(name, f"An order of type {kind} has none: leave it empty.")


class ModifyForm(TradingForm):
    """Another quantity and price for an order that is open."""

    quantity = WrittenField(written.quantity, label="Quantity, shares")
    price = WrittenField(written.price, label="Limit price, ₹", required=False)


class ReasonForm(TradingForm):
    """Why something is done."""

    reason = forms.CharField(
        max_length=MOST_OF_REASON,
        strip=True,
        error_messages={
            "required": "It is done with a reason, which is kept: say why.",
            "max_length": f"The reason is longer than {MOST_OF_REASON} characters: shorten it.",
        },
    )


class ClosingForm(ReasonForm):
    """Why a difference is closed, and what sets the ledger right where it has to be."""

    symbol = WrittenField(written.symbol, label="Share", required=False)
    quantity = WrittenField(
        written.signed_quantity, label="Shares that come", required=False, help_text="Negative: that go."
    )
    amount = WrittenField(written.signed_rupees, label="₹ that come", required=False, help_text="Negative: that go.")
    price = WrittenField(written.price, label="₹ per share that comes", required=False, help_text="Without money.")

    @staticmethod
    def correction_of(given: dict[str, Any]) -> Correction | None:
        """What is entered, by the cleaned data; None where nothing is."""
        if given["quantity"] is None and given["amount"] is None:
            return None
        amount: Decimal = given["amount"] or Decimal(0)
        return Correction(given["symbol"] or "", given["quantity"] or 0, amount, given["price"])
