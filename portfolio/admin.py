"""Users, strategies, orders, trades and positions in the admin."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Q
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from brokers.admin import OwnRowsAdmin, is_superuser
from portfolio import people
from portfolio.models import Order, Position, Strategy, Trade, User
from portfolio.resources import OrderResource, PositionResource, StrategyResource, TradeResource
from stocks.admin import ExportAdmin, ReadOnlyAdmin, StreamedExport, TableAdmin

_OF_ADMINISTRATORS = ("is_active", "is_superuser", "is_staff")  # without the last one, the admin does not open
_ONLY_SHOWN = ("is_staff", "is_superuser", "groups", "last_login", "date_joined")


class PersonForm(UserChangeForm):
    """A user's form that keeps one superuser active."""

    def clean(self) -> dict[str, Any] | None:
        """Refuse to deactivate or demote the last active superuser, also when two do it to each other at once."""
        cleaned: dict[str, Any] | None = super().clean()
        entered, before = cleaned or {}, self.instance
        stays = all(entered.get(name, getattr(before, name)) for name in _OF_ADMINISTRATORS)
        if all(getattr(before, name) for name in _OF_ADMINISTRATORS) and not stays:
            try:
                people.require_other_superuser(before)
            except people.LastSuperuser as error:
                raise ValidationError(str(error)) from error
        return cleaned


@admin.register(User)
class UserAdmin(StreamedExport, DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg, misc]  # not subscriptable at run time
    """People. Rights, passwords and everything about staff are for superusers; nobody is deleted or renamed."""

    form = PersonForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "first_name", "last_name", "is_active", "is_staff", "last_login")
    # The two boxes of Django's horizontal filter have no accessible names.
    filter_horizontal = ()

    class Media:
        css = {"all": ("tradingsite/forms.css",)}

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # A token's key is its table's primary key, so Django takes a filter by its beginning for one by the row.
        return not lookup.startswith("auth_token") and bool(super().lookup_allowed(lookup, value, request))

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        if obj is not None and (obj.is_staff or obj.is_superuser) and not is_superuser(request):
            return False
        return bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        if obj is None or is_superuser(request):
            return super().get_fieldsets(request, obj)
        about = ("username", "first_name", "last_name", "email", "is_active")
        return ((None, {"fields": about}), ("Access", {"fields": _ONLY_SHOWN}))

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        return ("username",) if is_superuser(request) else ("username", *_ONLY_SHOWN)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """Whoever sets a password can log in with it, so only superusers set another's."""
        if not is_superuser(request):
            raise PermissionDenied
        response: HttpResponse = super().user_change_password(request, id, form_url)
        return response

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "is_active" in form.changed_data:
            people.end_access(obj)


class StrategyForm(ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    """A strategy's form that compares its name with the owner's others, although the owner is only shown."""

    def validate_unique(self) -> None:
        super().validate_unique()
        if not self.errors:
            try:
                self.instance.validate_constraints()
            except ValidationError as error:
                self.add_error(None, error)


@admin.register(Strategy)
class StrategyAdmin(OwnRowsAdmin, ExportAdmin, TableAdmin):
    """Strategies: one's own, and the system's to look at. Live trading is not switched on in a form."""

    owner = "owner"
    form = StrategyForm
    resource_classes = (StrategyResource,)
    list_display = ("name", "kind", "owner", "mode", "capital", "is_active")
    list_filter = ("kind", "mode", "is_active")
    search_fields = ("name", "owner__username")
    readonly_fields = ("mode", "created_at")
    list_select_related = ("owner",)

    def visible_to(self, request: HttpRequest) -> Q:
        return super().visible_to(request) | Q(owner=None)

    def has_change_permission(self, request: HttpRequest, obj: Strategy | None = None) -> bool:
        return _is_own(request, obj) and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Strategy | None = None) -> bool:
        return _is_own(request, obj) and bool(super().has_delete_permission(request, obj))


def _is_own(request: HttpRequest, strategy: Strategy | None) -> bool:
    return strategy is None or is_superuser(request) or strategy.owner_id == request.user.pk


@admin.register(Order)
class OrderAdmin(OwnRowsAdmin, ExportAdmin, ReadOnlyAdmin):
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
class TradeAdmin(OwnRowsAdmin, ExportAdmin, ReadOnlyAdmin):
    owner = "order__user"
    resource_classes = (TradeResource,)
    list_display = ("traded_at", "order", "quantity", "price", "charges", "broker", "broker_trade_id")
    list_filter = ("broker",)
    search_fields = ("order__symbol", "broker_trade_id")
    list_select_related = ("order",)
    date_hierarchy = "traded_at"


@admin.register(Position)
class PositionAdmin(OwnRowsAdmin, ExportAdmin, ReadOnlyAdmin):
    resource_classes = (PositionResource,)
    list_display = ("user", "symbol", "quantity", "average_price", "realised_profit", "product", "broker", "updated_at")
    list_filter = ("broker", "product")
    search_fields = ("symbol", "user__username")
    list_select_related = ("user",)
