"""Users, strategies, orders, trades and positions in the admin."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from portfolio.models import Order, Position, Strategy, Trade, User
from portfolio.resources import OrderResource, PositionResource, StrategyResource, TradeResource
from stocks.admin import ExportAdmin, ReadOnlyAdmin, StreamedExport, TableAdmin


@admin.register(User)
class UserAdmin(StreamedExport, DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg, misc]  # not subscriptable at run time
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "first_name", "last_name", "is_active", "is_staff", "last_login")
    # The two boxes of Django's horizontal filter have no accessible names.
    filter_horizontal = ()

    class Media:
        css = {"all": ("tradingsite/forms.css",)}


@admin.register(Strategy)
class StrategyAdmin(ExportAdmin, TableAdmin):
    resource_classes = (StrategyResource,)
    list_display = ("name", "kind", "owner", "mode", "capital", "is_active")
    list_filter = ("kind", "mode", "is_active")
    search_fields = ("name", "owner__username")
    readonly_fields = ("created_at",)
    list_select_related = ("owner",)


@admin.register(Order)
class OrderAdmin(ExportAdmin, ReadOnlyAdmin):
    resource_classes = (OrderResource,)
    list_display = (
        "created_at",
        "user",
        "side",
        "quantity",
        "symbol",
        "price",
        "status",
        "filled_quantity",
        "broker",
        "reason",
    )
    list_filter = ("status", "side", "broker")
    search_fields = ("symbol", "broker_order_id", "user__username")
    list_select_related = ("user",)
    date_hierarchy = "created_at"


@admin.register(Trade)
class TradeAdmin(ExportAdmin, ReadOnlyAdmin):
    resource_classes = (TradeResource,)
    list_display = ("traded_at", "order", "quantity", "price", "charges", "broker", "broker_trade_id")
    list_filter = ("broker",)
    search_fields = ("order__symbol", "broker_trade_id")
    list_select_related = ("order",)
    date_hierarchy = "traded_at"


@admin.register(Position)
class PositionAdmin(ExportAdmin, ReadOnlyAdmin):
    resource_classes = (PositionResource,)
    list_display = ("user", "symbol", "quantity", "average_price", "realised_profit", "product", "broker", "updated_at")
    list_filter = ("broker", "product")
    search_fields = ("symbol", "user__username")
    list_select_related = ("user",)
