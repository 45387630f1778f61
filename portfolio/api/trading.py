"""The trading API: one's own accounts with their orders, trades, plans, differences, ledgers; the kill switch.

What another person owns is not there (404). A key that is sent again is answered by what it made first.
"""

from typing import Any, Final

from django import forms
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle, UserRateThrottle

from market_data.calendar_sources import CalendarError
from portfolio.accounts.creation import NotCreated
from portfolio.accounts.readings import AccountReading
from portfolio.api import ERRORS, PersonView, answer
from portfolio.api import trading_answers as answers
from portfolio.api.choices import CHARGES_OF, ORDER_TYPES, SIDES
from portfolio.models import Difference, LedgerEntry, Order, Plan, Trade, TradingAccount
from portfolio.orders import desk
from portfolio.orders.kill_switch import kill_switch
from portfolio.pages.trading.forms import AccountForm, ModifyForm, OrderForm
from portfolio.pages.trading.opening import open_paper_account
from portfolio.pages.trading.own import own_account, own_accounts, own_order, own_plan
from portfolio.pages.trading.placing import place_by_hand
from portfolio.pages.trading.portfolio_page import held_lines, portfolio_context
from portfolio.plans.approval import approve
from portfolio.plans.places import PlansError
from portfolio.reconciliation.blocks import blocks_of
from stocks.api import ErrorAnswer
from stocks.error_responses import error_body

MOST_ROWS: Final = 500
_MISSING: Final = {404: OpenApiResponse(ErrorAnswer, "There is no such thing of yours.")}
_READ: Final = {**ERRORS, **_MISSING}
_SENT: Final = {
    **ERRORS,
    400: OpenApiResponse(ErrorAnswer, "A field is missing, unknown or not allowed, or it is refused; nothing changed."),
    415: OpenApiResponse(ErrorAnswer, "The request body is of an unsupported media type."),
    429: OpenApiResponse(ErrorAnswer, "Too many requests a minute."),
}
_LIMIT: Final = OpenApiParameter(
    "limit", {"type": "integer", "minimum": 1, "maximum": MOST_ROWS}, description="The newest so many; default 100."
)


def _named(name: str, **fields: Any) -> type[serializers.Serializer[Any]]:
    """An answer: success, the kind of market, and fields."""
    shared: dict[str, Any] = {
        "success": serializers.BooleanField(),
        "simulated": serializers.BooleanField(help_text="true: the market is simulated"),
    }
    return type(name, (serializers.Serializer,), shared | fields)


class OrderRequest(serializers.Serializer[Any]):
    """An order for delivery on today's session; numbers may be sent as texts."""

    key = serializers.RegexField(
        r"^[A-Za-z0-9_-]{8,40}$", help_text="One-time: sent again, it is answered by the first order."
    )
    symbol = serializers.CharField(help_text="The NSE's symbol.")
    side = serializers.ChoiceField(choices=SIDES)
    quantity = serializers.IntegerField(min_value=1, max_value=desk.MOST_SHARES, help_text="shares")
    order_type = serializers.ChoiceField(choices=ORDER_TYPES)
    price = serializers.CharField(required=False, help_text="₹ per share, of limit and sl.")
    trigger_price = serializers.CharField(required=False, help_text="₹ per share, of sl and sl-m.")
    market_protection = serializers.CharField(
        required=False, help_text="Percent, of market and sl-m; default -1: the broker's own."
    )


class ChangeRequest(serializers.Serializer[Any]):
    """Another quantity, in all with what is filled, and price."""

    quantity = serializers.IntegerField(min_value=1, max_value=desk.MOST_SHARES, help_text="shares")
    price = serializers.CharField(required=False, help_text="₹ per share; left out: none")


class AccountRequest(serializers.Serializer[Any]):
    """A paper account with what is paid in at first."""

    key = serializers.RegexField(
        r"^[A-Za-z0-9_-]{8,40}$", help_text="One-time: sent again, it is answered by the first account."
    )
    name = serializers.CharField(max_length=100)
    deposit = serializers.CharField(help_text="₹, such as 1000000.00")
    charges_of = serializers.ChoiceField(choices=CHARGES_OF)


class ApprovalRequest(serializers.Serializer[Any]):
    """Which plan was read."""

    digest = serializers.RegexField(r"^[0-9a-f]{64}$", help_text="Of the plan as it was read.")


class KillSwitchState(serializers.Serializer[Any]):
    success = serializers.BooleanField()
    on = serializers.BooleanField(help_text="true: no order is sent, and open ones are cancelled")
    by_file = serializers.BooleanField(help_text="true: a file on the server keeps it on")
    operator = serializers.CharField()
    reason = serializers.CharField()
    at = serializers.CharField(help_text="When it was switched last; empty: never.")


_OrderAsked = _named("OrderAsked", order=answers.OrderDetail())


class TradingThrottle(UserRateThrottle):
    """Requests of one person that ask for something."""

    scope = "trading"
    rate = "120/min"


class _TradingView(PersonView):
    def get_throttles(self) -> list[BaseThrottle]:
        return [TradingThrottle()] if self.request.method == "POST" else []

    def account(self, key: int) -> TradingAccount:
        return own_account(self.person, key)


class AccountsView(_TradingView):
    @extend_schema(
        operation_id="accounts",
        responses={200: _named("AccountsAnswer", accounts=answers.Account(many=True)), **ERRORS},
    )
    def get(self, request: Request) -> Response:
        """One's own accounts, on paper and live."""
        return answer(accounts=[answers.account_body(each) for each in own_accounts(self.person)])

    @extend_schema(
        operation_id="open_paper_account",
        request=AccountRequest,
        responses={200: _named("AccountOpened", account=answers.Account(), is_new=serializers.BooleanField()), **_SENT},
    )
    def post(self, request: Request) -> Response:
        """Open a paper account; a key that was sent before is answered by the account it opened."""
        try:
            opened, is_new = open_paper_account(self.person, _given(AccountForm, request.data), timezone.now())
        except NotCreated as refusal:
            raise ValidationError({"name": [str(refusal)]}) from refusal
        return answer(account=answers.account_body(opened), is_new=is_new)


class PortfolioView(_TradingView):
    @extend_schema(
        operation_id="portfolio", responses={200: _named("PortfolioAnswer", portfolio=answers.Portfolio()), **_READ}
    )
    def get(self, request: Request, key: int) -> Response:
        """What an account is worth, earned and holds, and what keeps it from new orders."""
        account, day = self.account(key), timezone.localdate()
        try:
            known = portfolio_context(account, day)
        except CalendarError as error:
            raise ValidationError(str(error)) from error
        return answer(portfolio=answers.portfolio_body(account, known, blocks_of(account, day)))


class HoldingsView(_TradingView):
    @extend_schema(
        operation_id="holdings", responses={200: _named("HoldingsAnswer", holdings=answers.Held(many=True)), **_READ}
    )
    def get(self, request: Request, key: int) -> Response:
        """The account's holdings with their lots."""
        reading = AccountReading(self.account(key), timezone.localdate())
        return answer(holdings=[answers.held_body(line) for line in held_lines(reading)])


class OrdersView(_TradingView):
    @extend_schema(
        operation_id="orders",
        parameters=[_LIMIT],
        responses={200: _named("OrdersAnswer", orders=answers.OrderListed(many=True)), **_READ},
    )
    def get(self, request: Request, key: int) -> Response:
        """The account's newest orders."""
        rows = Order.objects.filter(account=self.account(key)).select_related("account", "strategy")
        return answer(orders=[answers.order_body(order) for order in rows[: _limit(request)]])

    @extend_schema(
        operation_id="place_order",
        request=OrderRequest,
        responses={
            200: _named("OrderPlaced", order=answers.OrderDetail(), is_new=serializers.BooleanField()),
            **_SENT,
            **_MISSING,
        },
    )
    def post(self, request: Request, key: int) -> Response:
        """Place an order by hand; where the checks refuse it, 400 with all their sentences, and nothing is written."""
        account = self.account(key)
        try:
            order, is_new = place_by_hand(account, _given(OrderForm, request.data), self.person, timezone.now())
        except desk.NotAsked as refusal:
            return _refused(refusal)
        return answer(order=answers.order_detail_body(order), is_new=is_new)


class OrderView(_TradingView):
    @extend_schema(operation_id="order", responses={200: _named("OrderAnswer", order=answers.OrderDetail()), **_READ})
    def get(self, request: Request, key: int) -> Response:
        """An order from its pick over checks and events to its fills and ledger entries."""
        return answer(order=answers.order_detail_body(own_order(self.person, key)))


class CancelView(_TradingView):
    @extend_schema(
        operation_id="cancel_order",
        request=None,
        responses={200: _OrderAsked, **_SENT, **_MISSING},
    )
    def post(self, request: Request, key: int) -> Response:
        """Ask for an order to be cancelled; its sender carries it out."""
        order = own_order(self.person, key)
        try:
            changed = desk.ask_cancel(order, self.person.get_username(), timezone.now())
        except desk.NotAsked as refusal:
            return _refused(refusal)
        return answer(order=answers.order_detail_body(changed))


class ModifyView(_TradingView):
    @extend_schema(
        operation_id="modify_order",
        request=ChangeRequest,
        responses={200: _OrderAsked, **_SENT, **_MISSING},
    )
    def post(self, request: Request, key: int) -> Response:
        """Ask for another quantity and price; its sender carries it out."""
        order, given = own_order(self.person, key), _given(ModifyForm, request.data)
        who = self.person.get_username()
        try:
            changed = desk.ask_modify(order, given["quantity"], given["price"], who, timezone.now())
        except desk.NotAsked as refusal:
            return _refused(refusal)
        return answer(order=answers.order_detail_body(changed))


class TradesView(_TradingView):
    @extend_schema(
        operation_id="trades",
        parameters=[_LIMIT],
        responses={200: _named("TradesAnswer", trades=answers.TradeListed(many=True)), **_READ},
    )
    def get(self, request: Request, key: int) -> Response:
        """The account's newest fills."""
        rows = Trade.objects.filter(account=self.account(key)).select_related("order")
        return answer(trades=[answers.trade_body(trade) for trade in rows[: _limit(request)]])


class LedgerView(_TradingView):
    @extend_schema(
        operation_id="ledger",
        parameters=[_LIMIT],
        responses={200: _named("LedgerAnswer", entries=answers.Entry(many=True)), **_READ},
    )
    def get(self, request: Request, key: int) -> Response:
        """The newest entries of the account's ledger."""
        rows = LedgerEntry.objects.filter(account=self.account(key)).order_by("-day", "-id")
        return answer(entries=[answers.entry_body(entry) for entry in rows[: _limit(request)]])


class PlansView(_TradingView):
    @extend_schema(
        operation_id="plans",
        parameters=[_LIMIT],
        responses={200: _named("PlansAnswer", plans=answers.PlanListed(many=True)), **_READ},
    )
    def get(self, request: Request, key: int) -> Response:
        """The account's newest plans, with their tickets."""
        rows = Plan.objects.filter(account=self.account(key)).select_related("strategy", "approved_by")
        return answer(plans=[answers.plan_body(plan) for plan in rows[: _limit(request)]])


class ApproveView(_TradingView):
    @extend_schema(
        operation_id="approve_plan",
        request=ApprovalRequest,
        responses={200: _named("PlanApproved", plan=answers.PlanListed()), **_SENT, **_MISSING},
    )
    def post(self, request: Request, key: int) -> Response:
        """Approve a live account's plan: exactly the one whose digest is sent."""
        plan = own_plan(self.person, key)
        given = ApprovalRequest(data=request.data)
        given.is_valid(raise_exception=True)
        try:
            approved = approve(plan, self.person, given.validated_data["digest"], timezone.now())
        except PlansError as refusal:
            return Response(error_body(400, str(refusal), "refused"), status=400)
        return answer(plan=answers.plan_body(approved))


class DifferencesView(_TradingView):
    @extend_schema(
        operation_id="differences",
        parameters=[_LIMIT],
        responses={200: _named("DifferencesAnswer", differences=answers.DifferenceListed(many=True)), **_READ},
    )
    def get(self, request: Request, key: int) -> Response:
        """The account's newest differences from the broker's book, open and closed."""
        rows = Difference.objects.filter(account=self.account(key))
        return answer(differences=[answers.difference_body(row) for row in rows[: _limit(request)]])


class KillSwitchView(PersonView):
    @extend_schema(operation_id="kill_switch", responses={200: KillSwitchState, **ERRORS})
    def get(self, request: Request) -> Response:
        """Whether all orders are stopped, and who switched it last."""
        state = kill_switch()
        known = {name: state.as_json()[name] for name in ("on", "operator", "reason", "at")}
        return Response({"success": True, "by_file": bool(state.file)} | known)


def _given(form_class: type[forms.Form], data: Any) -> dict[str, Any]:
    """What a request's body says, read by the form of the page: exactly, or with a sentence for each field."""
    if not hasattr(data, "items"):
        raise ValidationError("Send an object with the fields.")
    given = {name: str(value) for name, value in data.items() if value is not None}
    if unknown := sorted(set(given) - set(form_class.base_fields)):
        known = ", ".join(form_class.base_fields)
        raise ValidationError({unknown[0][:50]: f"There is no such field; there are {known}."})
    form = form_class(given)
    if not form.is_valid():
        raise ValidationError({name: list(map(str, sentences)) for name, sentences in form.errors.items()})
    return form.cleaned_data


def _refused(refusal: desk.NotAsked) -> Response:
    """Why nothing was done: with the codes of the checks, where these refuse it."""
    reasons = getattr(refusal, "refusals", ())
    message = " ".join(f"{each.code}: {each.sentence}" for each in reasons) or str(refusal)
    return Response(error_body(400, message, "refused"), status=400)


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", "100")
    if not (text.isascii() and text.isdecimal() and len(text) <= 3 and 1 <= int(text) <= MOST_ROWS):
        raise ValidationError({"limit": f"{text[:20]!r} is not allowed: give a whole number from 1 to {MOST_ROWS}."})
    return int(text)
