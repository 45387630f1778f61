"""Accounts, orders, events, fills, positions, ledger, plans and permissions in the admin: to look at.

What changes them are the order book, the sender and the pages, which know the rules; rows of a replay are not listed.
"""

from typing import Any

from django.contrib import admin
from django.db.models import Model, Q, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from brokers.admin import OwnRowsAdmin, is_superuser
from portfolio.models import (
    AccountLimits,
    Difference,
    LedgerEntry,
    LivePermission,
    Order,
    OrderAlarm,
    OrderEvent,
    OrderIntent,
    PaperVenue,
    Plan,
    Position,
    Trade,
    TradedStrategy,
    TradingAccount,
)
from portfolio.orders.limit_values import WORDS, LimitError, limit_value
from portfolio.orders.risk import LIMITS
from portfolio.resources import OrderResource, PositionResource, TradeResource
from stocks.admin import ExportAdmin, ReadOnlyAdmin, TableAdmin


class AccountRowsAdmin(OwnRowsAdmin, ReadOnlyAdmin):
    """Rows of one's own accounts; `account` is the way from a row to its account."""

    account = "account"

    @property
    def owner(self) -> str:  # type: ignore[override]
        return f"{self.account}__owner"

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.filter(**{f"{self.account}__is_replay": False})


@admin.register(TradingAccount)
class TradingAccountAdmin(OwnRowsAdmin, ReadOnlyAdmin):
    owner = "owner"
    list_display = ("name", "owner", "kind", "broker", "charges_of", "demat_id", "is_active", "created_at")
    list_filter = ("kind", "broker", "is_active")
    search_fields = ("name", "owner__username")
    list_select_related = ("owner",)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.filter(is_replay=False)


@admin.register(OrderIntent)
class OrderIntentAdmin(AccountRowsAdmin):
    list_display = ("created_at", "account", "strategy", "session", "side", "symbol", "purpose", "wished_by")
    list_filter = ("side",)
    search_fields = ("symbol", "account__name")
    list_select_related = ("account", "strategy", "wished_by")


@admin.register(Order)
class OrderAdmin(ExportAdmin, AccountRowsAdmin):
    resource_classes = (OrderResource,)
    list_display = (
        *("created_at", "account", "side", "quantity", "symbol", "price", "status", "pending", "filled_quantity"),
        *("average_price", "alarms", "reason"),
    )
    list_filter = ("status", "side", "account__kind")
    search_fields = ("symbol", "tag", "broker_order_id", "account__name")
    list_select_related = ("account",)
    date_hierarchy = "created_at"


@admin.register(OrderEvent)
class OrderEventAdmin(AccountRowsAdmin):
    account = "order__account"
    list_display = ("at", "order", "kind", "key", "broker_at", "content")
    list_filter = ("kind",)
    search_fields = ("order__symbol", "order__tag", "key")
    list_select_related = ("order",)


@admin.register(OrderAlarm)
class OrderAlarmAdmin(AccountRowsAdmin):
    account = "order__account"
    list_display = ("since", "order", "alarm", "facts", "closed_at", "closed_by", "reason")
    list_filter = ("alarm",)
    list_select_related = ("order",)


@admin.register(Trade)
class TradeAdmin(ExportAdmin, AccountRowsAdmin):
    resource_classes = (TradeResource,)
    list_display = ("traded_at", "account", "order", "quantity", "price", "broker_trade_id")
    list_filter = ("account__kind",)
    search_fields = ("order__symbol", "broker_trade_id", "account__name")
    list_select_related = ("order", "account")
    date_hierarchy = "traded_at"


@admin.register(Position)
class PositionAdmin(ExportAdmin, AccountRowsAdmin):
    resource_classes = (PositionResource,)
    list_display = ("account", "symbol", "quantity", "average_price", "realised_profit", "product", "updated_at")
    list_filter = ("account__kind", "product")
    search_fields = ("symbol", "account__name")
    list_select_related = ("account",)


@admin.register(LedgerEntry)
class LedgerEntryAdmin(AccountRowsAdmin):
    list_display = ("day", "account", "kind", "symbol", "quantity", "amount", "reference", "reason")
    list_filter = ("kind", "account__kind")
    search_fields = ("symbol", "isin", "reference", "account__name")
    list_select_related = ("account",)
    date_hierarchy = "day"


@admin.register(Difference)
class DifferenceAdmin(AccountRowsAdmin):
    list_display = ("since", "account", "kind", "subject", "ours", "theirs", "action", "closed_at", "closed_by")
    list_filter = ("kind",)
    search_fields = ("subject", "account__name")
    list_select_related = ("account",)


class AccountLimitsForm(ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    """Limits of an account; what is left empty limits nothing."""

    class Meta:
        help_texts = dict(WORDS)

    def clean(self) -> dict[str, Any]:
        entered: dict[str, Any] = super().clean() or {}
        for name in LIMITS:
            try:
                limit_value(name, entered.get(name))
            except LimitError as error:
                self.add_error(name, str(error))
        return entered


@admin.register(AccountLimits)
class AccountLimitsAdmin(OwnRowsAdmin, TableAdmin):
    """What an account's purchases may come to: set by whoever may change it, for accounts of their own."""

    form = AccountLimitsForm
    list_display = ("account", *LIMITS, "updated_at")
    list_select_related = ("account",)
    readonly_fields = ("updated_at",)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.filter(account__is_replay=False)

    def visible_to(self, request: HttpRequest) -> Q:
        return Q(account__owner=request.user.pk)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return (*self.readonly_fields, *(("account",) if obj else ()))

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        if db_field.name == "account":
            accounts = TradingAccount.objects.filter(is_replay=False)
            options["queryset"] = accounts if is_superuser(request) else accounts.filter(owner=request.user.pk)
        return super().formfield_for_foreignkey(db_field, request, **options)


@admin.register(TradedStrategy)
class TradedStrategyAdmin(AccountRowsAdmin):
    list_display = ("account", "strategy", "terms", "first_session", "is_active", "created_at")
    list_select_related = ("account", "strategy")


@admin.register(Plan)
class PlanAdmin(AccountRowsAdmin):
    list_display = ("session", "trades_on", "account", "strategy", "status", "approved_by", "approved_at", "reason")
    list_filter = ("status",)
    list_select_related = ("account", "strategy", "approved_by")


@admin.register(LivePermission)
class LivePermissionAdmin(AccountRowsAdmin):
    list_display = ("account", "strategy", "given_by", "given_at", "until", "ended_at", "ended_by")
    list_select_related = ("account", "strategy", "given_by")


@admin.register(PaperVenue)
class PaperVenueAdmin(AccountRowsAdmin):
    list_display = ("account", "updated_at")
    list_select_related = ("account",)
    exclude = ("snapshot",)
    export_left_out = ("snapshot",)
