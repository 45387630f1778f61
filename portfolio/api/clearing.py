"""What blocks an account and how it is cleared: orders of unknown fate, differences, alarms; by its owner alone."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portfolio.api import answer
from portfolio.api import trading_answers as answers
from portfolio.api.trading import OrderAsked
from portfolio.api.trading_requests import LIMIT, MISSING, READ, SENT, TradingView, given, limit_of, named, refused
from portfolio.models import OrderAlarm
from portfolio.orders import desk
from portfolio.pages.trading.forms import ClosingForm, ReasonForm
from portfolio.reconciliation.closing import NotClosed, close_alarm, close_difference


class ReasonRequest(serializers.Serializer[Any]):
    """Why it is done; it is kept."""

    reason = serializers.CharField(max_length=desk.MOST_OF_REASON, help_text="What was looked at.")


class ClosingRequest(ReasonRequest):
    """Why a difference is closed, and what sets the ledger right where it has to be."""

    symbol = serializers.CharField(required=False, help_text="The share that comes or goes.")
    quantity = serializers.IntegerField(required=False, help_text="Shares that come; negative: that go.")
    amount = serializers.CharField(required=False, help_text="₹ that come; negative: that go.")
    price = serializers.CharField(required=False, help_text="₹ per share that comes, without money.")


class AbandonView(TradingView):
    @extend_schema(
        operation_id="abandon_order",
        request=ReasonRequest,
        responses={200: OrderAsked, **SENT, **MISSING},
    )
    def post(self, request: Request, key: int) -> Response:
        """Give an order up, after a look at the broker; one of unknown fate blocks its share until then."""
        order, fields = self.order(key), given(ReasonForm, request.data)
        try:
            changed = desk.abandon(order, self.person.get_username(), fields["reason"], timezone.now())
        except desk.NotAsked as refusal:
            return refused(refusal)
        return answer(order=answers.order_detail_body(changed))


class CloseDifferenceView(TradingView):
    @extend_schema(
        operation_id="close_difference",
        request=ClosingRequest,
        responses={200: named("DifferenceClosed", difference=answers.DifferenceListed()), **SENT, **MISSING},
    )
    def post(self, request: Request, key: int) -> Response:
        """Close a difference; one that blocks needs the correction that sets the ledger right."""
        row, person = self.difference(key), self.person
        form = given(ClosingForm, request.data)
        try:
            closed = close_difference(row, person, form["reason"], timezone.now(), ClosingForm.correction_of(form))
        except NotClosed as refusal:
            return refused(refusal)
        return answer(difference=answers.difference_body(closed))


class AlarmsView(TradingView):
    @extend_schema(
        operation_id="alarms",
        parameters=[LIMIT],
        responses={200: named("AlarmsAnswer", alarms=answers.AlarmListed(many=True)), **READ},
    )
    def get(self, request: Request, key: int) -> Response:
        """The newest alarms of the account's orders, open and closed."""
        rows = OrderAlarm.objects.filter(order__account=self.account(key))
        return answer(alarms=[answers.alarm_body(row) for row in rows[: limit_of(request)]])


class CloseAlarmView(TradingView):
    @extend_schema(
        operation_id="close_alarm",
        request=ReasonRequest,
        responses={200: named("AlarmClosed", alarm=answers.AlarmListed()), **SENT, **MISSING},
    )
    def post(self, request: Request, key: int) -> Response:
        """Close an alarm; the contradiction stays in the order's events."""
        row, fields = self.alarm(key), given(ReasonForm, request.data)
        try:
            closed = close_alarm(row, self.person, fields["reason"], timezone.now())
        except NotClosed as refusal:
            return refused(refusal)
        return answer(alarm=answers.alarm_body(closed))
