"""The trading API: one's own accounts with their orders, trades, plans, differences, ledgers; the kill switch.

What another person owns is not there (404). A key that is sent again is answered by what it made first.
"""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from market_data.calendar_sources import CalendarError
from portfolio.accounts.creation import NotCreated
from portfolio.accounts.readings import AccountReading
from portfolio.api import ERRORS, PersonView, answer
from portfolio.api import trading_answers as answers
from portfolio.api.choices import CHARGES_OF, ORDER_TYPES, SIDES
from portfolio.api.trading_requests import LIMIT, MISSING, READ, SENT, TradingView, given, limit_of, named, refused
from portfolio.models import Difference, LedgerEntry, Order, Plan, Scope, Trade
from portfolio.orders import desk
from portfolio.orders.kill_switch import kill_switch
from portfolio.pages.trading.forms import AccountForm, ModifyForm, OrderForm
from portfolio.pages.trading.opening import open_paper_account
from portfolio.pages.trading.own import own_accounts, own_plan
from portfolio.pages.trading.placing import place_by_hand
from portfolio.pages.trading.portfolio_page import held_lines, portfolio_context
from portfolio.plans.approval import approve
from portfolio.plans.places import PlansError
from portfolio.reconciliation.blocks import blocks_of


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


OrderAsked = named("OrderAsked", order=answers.OrderDetail())


class AccountsView(TradingView):
    @extend_schema(
        operation_id="accounts",
        responses={200: named("AccountsAnswer", accounts=answers.Account(many=True)), **ERRORS},
    )
    def get(self, request: Request) -> Response:
        """One's own accounts, on paper and live."""
        return answer(accounts=[answers.account_body(each) for each in own_accounts(self.person)])

    @extend_schema(
        operation_id="open_paper_account",
        request=AccountRequest,
        responses={200: named("AccountOpened", account=answers.Account(), is_new=serializers.BooleanField()), **SENT},
    )
    def post(self, request: Request) -> Response:
        """Open a paper account; a key that was sent before is answered by the account it opened."""
        try:
            opened, is_new = open_paper_account(self.person, given(AccountForm, request.data), timezone.now())
        except NotCreated as refusal:
            raise ValidationError({"name": [str(refusal)]}) from refusal
        return answer(account=answers.account_body(opened), is_new=is_new)


class PortfolioView(TradingView):
    @extend_schema(
        operation_id="portfolio", responses={200: named("PortfolioAnswer", portfolio=answers.Portfolio()), **READ}
    )
    def get(self, request: Request, key: int) -> Response:
        """What an account is worth, earned and holds, and what keeps it from new orders."""
        account, day = self.account(key), timezone.localdate()
        try:
            known = portfolio_context(account, day)
        except CalendarError as error:
            raise ValidationError(str(error)) from error
        return answer(portfolio=answers.portfolio_body(account, known, blocks_of(account, day)))


class HoldingsView(TradingView):
    @extend_schema(
        operation_id="holdings", responses={200: named("HoldingsAnswer", holdings=answers.Held(many=True)), **READ}
    )
    def get(self, request: Request, key: int) -> Response:
        """The account's holdings with their lots."""
        reading = AccountReading(self.account(key), timezone.localdate())
        return answer(holdings=[answers.held_body(line) for line in held_lines(reading)])


class OrdersView(TradingView):
    @extend_schema(
        operation_id="orders",
        parameters=[LIMIT],
        responses={200: named("OrdersAnswer", orders=answers.OrderListed(many=True)), **READ},
    )
    def get(self, request: Request, key: int) -> Response:
        """The account's newest orders."""
        rows = Order.objects.filter(account=self.account(key)).select_related("account", "strategy")
        return answer(orders=[answers.order_body(order) for order in rows[: limit_of(request)]])

    @extend_schema(
        operation_id="place_order",
        request=OrderRequest,
        responses={
            200: named("OrderPlaced", order=answers.OrderDetail(), is_new=serializers.BooleanField()),
            **SENT,
            **MISSING,
        },
    )
    def post(self, request: Request, key: int) -> Response:
        """Place an order by hand; where the checks refuse it, 400 with all their sentences, and nothing is written."""
        account = self.account(key)
        try:
            order, is_new = place_by_hand(account, given(OrderForm, request.data), self.person, timezone.now())
        except desk.NotAsked as refusal:
            return refused(refusal)
        return answer(order=answers.order_detail_body(order), is_new=is_new)


class OrderView(TradingView):
    @extend_schema(operation_id="order", responses={200: named("OrderAnswer", order=answers.OrderDetail()), **READ})
    def get(self, request: Request, key: int) -> Response:
        """An order from its pick over checks and events to its fills and ledger entries."""
        return answer(order=answers.order_detail_body(self.order(key)))


class CancelView(TradingView):
    @extend_schema(
        operation_id="cancel_order",
        request=None,
        responses={200: OrderAsked, **SENT, **MISSING},
    )
    def post(self, request: Request, key: int) -> Response:
        """Ask for an order to be cancelled; its sender carries it out."""
        order = self.order(key)
        try:
            changed = desk.ask_cancel(order, self.person.get_username(), timezone.now())
        except desk.NotAsked as refusal:
            return refused(refusal)
        return answer(order=answers.order_detail_body(changed))


class ModifyView(TradingView):
    @extend_schema(
        operation_id="modify_order",
        request=ChangeRequest,
        responses={200: OrderAsked, **SENT, **MISSING},
    )
    def post(self, request: Request, key: int) -> Response:
        """Ask for another quantity and price; its sender carries it out."""
        order, changed_to = self.order(key), given(ModifyForm, request.data)
        who = self.person.get_username()
        try:
            changed = desk.ask_modify(order, changed_to["quantity"], changed_to["price"], who, timezone.now())
        except desk.NotAsked as refusal:
            return refused(refusal)
        return answer(order=answers.order_detail_body(changed))


class TradesView(TradingView):
    @extend_schema(
        operation_id="trades",
        parameters=[LIMIT],
        responses={200: named("TradesAnswer", trades=answers.TradeListed(many=True)), **READ},
    )
    def get(self, request: Request, key: int) -> Response:
        """The account's newest fills."""
        rows = Trade.objects.filter(account=self.account(key)).select_related("order")
        return answer(trades=[answers.trade_body(trade) for trade in rows[: limit_of(request)]])


class LedgerView(TradingView):
    @extend_schema(
        operation_id="ledger",
        parameters=[LIMIT],
        responses={200: named("LedgerAnswer", entries=answers.Entry(many=True)), **READ},
    )
    def get(self, request: Request, key: int) -> Response:
        """The newest entries of the account's ledger."""
        rows = LedgerEntry.objects.filter(account=self.account(key)).order_by("-day", "-id")
        return answer(entries=[answers.entry_body(entry) for entry in rows[: limit_of(request)]])


class PlansView(TradingView):
    @extend_schema(
        operation_id="plans",
        parameters=[LIMIT],
        responses={200: named("PlansAnswer", plans=answers.PlanListed(many=True)), **READ},
    )
    def get(self, request: Request, key: int) -> Response:
        """The account's newest plans, with their tickets."""
        rows = Plan.objects.filter(account=self.account(key)).select_related("strategy", "approved_by")
        return answer(plans=[answers.plan_body(plan) for plan in rows[: limit_of(request)]])


class ApproveView(TradingView):
    token_scopes = {}  # only live plans are approved

    @extend_schema(
        operation_id="approve_plan",
        request=ApprovalRequest,
        responses={200: named("PlanApproved", plan=answers.PlanListed()), **SENT, **MISSING},
    )
    def post(self, request: Request, key: int) -> Response:
        """Approve a live account's plan: exactly the one whose digest is sent."""
        plan = own_plan(self.person, key)
        approval = ApprovalRequest(data=request.data)
        approval.is_valid(raise_exception=True)
        try:
            approved = approve(plan, self.person, approval.validated_data["digest"], timezone.now())
        except PlansError as refusal:
            return refused(refusal)
        return answer(plan=answers.plan_body(approved))


class DifferencesView(TradingView):
    @extend_schema(
        operation_id="differences",
        parameters=[LIMIT],
        responses={200: named("DifferencesAnswer", differences=answers.DifferenceListed(many=True)), **READ},
    )
    def get(self, request: Request, key: int) -> Response:
        """The account's newest differences from the broker's book, open and closed."""
        rows = Difference.objects.filter(account=self.account(key))
        return answer(differences=[answers.difference_body(row) for row in rows[: limit_of(request)]])


class KillSwitchView(PersonView):
    token_scopes = {"GET": Scope.PORTFOLIO}

    @extend_schema(operation_id="kill_switch", responses={200: KillSwitchState, **ERRORS})
    def get(self, request: Request) -> Response:
        """Whether all orders are stopped, and who switched it last."""
        state = kill_switch()
        known = {name: state.as_json()[name] for name in ("on", "operator", "reason", "at")}
        return Response({"success": True, "by_file": bool(state.file)} | known)
