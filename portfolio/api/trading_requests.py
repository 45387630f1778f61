"""What the views of the trading API share: who asks, how a body is read, how a refusal is answered."""

from typing import Any, Final

from django import forms
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle, UserRateThrottle

from portfolio.api import ERRORS, PersonView
from portfolio.models import Difference, Order, OrderAlarm, Scope, TradingAccount
from portfolio.pages.trading.own import own_account, own_alarm, own_difference, own_order
from portfolio.token_authentication import PAPER_ONLY, is_by_token
from stocks.api import ErrorAnswer
from stocks.error_responses import error_body

MOST_ROWS: Final = 500
MISSING: Final = {404: OpenApiResponse(ErrorAnswer, "There is no such thing of yours.")}
READ: Final = {**ERRORS, **MISSING}
SENT: Final = {
    **ERRORS,
    400: OpenApiResponse(ErrorAnswer, "A field is missing, unknown or not allowed, or it is refused; nothing changed."),
    415: OpenApiResponse(ErrorAnswer, "The request body is of an unsupported media type."),
    429: OpenApiResponse(ErrorAnswer, "Too many requests a minute."),
}
LIMIT: Final = OpenApiParameter(
    "limit", {"type": "integer", "minimum": 1, "maximum": MOST_ROWS}, description="The newest so many; default 100."
)


def named(name: str, **fields: Any) -> type[serializers.Serializer[Any]]:
    """An answer: success, the kind of market, and fields."""
    shared: dict[str, Any] = {
        "success": serializers.BooleanField(),
        "simulated": serializers.BooleanField(help_text="true: the market is simulated"),
    }
    return type(name, (serializers.Serializer,), shared | fields)


class TradingThrottle(UserRateThrottle):
    """Requests of one person that ask for something."""

    scope = "trading"
    rate = "120/min"


class TradingView(PersonView):
    """Tokens read it with one scope and trade with another, and whatever they have, on paper alone."""

    token_scopes = {"GET": Scope.PORTFOLIO, "POST": Scope.TRADE_PAPER}

    def get_throttles(self) -> list[BaseThrottle]:
        return [TradingThrottle()] if self.request.method == "POST" else []

    def account(self, key: int) -> TradingAccount:
        account = own_account(self.person, key)
        self._require_paper(account)
        return account

    def order(self, key: int) -> Order:
        order = own_order(self.person, key)
        self._require_paper(order.account)
        return order

    def difference(self, key: int) -> Difference:
        row = own_difference(self.person, key)
        self._require_paper(row.account)
        return row

    def alarm(self, key: int) -> OrderAlarm:
        row = own_alarm(self.person, key)
        self._require_paper(row.order.account)
        return row

    def _require_paper(self, account: TradingAccount) -> None:
        if account.is_live and self.request.method not in SAFE_METHODS and is_by_token(self.request):
            raise PermissionDenied(PAPER_ONLY)


def given(form_class: type[forms.Form], data: Any) -> dict[str, Any]:
    """What a request's body says, read by the form of the page: exactly, or with a sentence for each field."""
    if not hasattr(data, "items"):
        raise ValidationError("Send an object with the fields.")
    texts = {name: str(value) for name, value in data.items() if value is not None}
    if unknown := sorted(set(texts) - set(form_class.base_fields)):
        known = ", ".join(form_class.base_fields)
        raise ValidationError({unknown[0][:50]: f"There is no such field; there are {known}."})
    form = form_class(texts)
    if not form.is_valid():
        raise ValidationError({name: list(map(str, sentences)) for name, sentences in form.errors.items()})
    return form.cleaned_data


def refused(refusal: Exception) -> Response:
    """Why nothing was done: with the codes of the checks, where these refuse it."""
    reasons = getattr(refusal, "refusals", ())
    message = " ".join(f"{each.code}: {each.sentence}" for each in reasons) or str(refusal)
    return Response(error_body(400, message, "refused"), status=400)


def limit_of(request: Request) -> int:
    text = request.query_params.get("limit", "100")
    if not (text.isascii() and text.isdecimal() and len(text) <= 3 and 1 <= int(text) <= MOST_ROWS):
        raise ValidationError({"limit": f"{text[:20]!r} is not allowed: give a whole number from 1 to {MOST_ROWS}."})
    return int(text)
