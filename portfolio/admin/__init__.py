"""Users, strategies and backtests in the admin."""

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Q, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from brokers.admin import OwnRowsAdmin, is_superuser
from portfolio import people
from portfolio.admin import broker_accounts as broker_accounts
from portfolio.admin import kill_switch as kill_switch
from portfolio.admin import notes as notes
from portfolio.admin import tokens as tokens
from portfolio.admin import trading as trading
from portfolio.backtest import job, writer
from portfolio.backtest.parameters import BacktestError
from portfolio.backtest.queries import terms_of_strategy
from portfolio.models import Backtest, Strategy, User
from portfolio.resources import StrategyResource
from portfolio.strategy_parameters import HELP
from stocks.admin import ExportAdmin, ReadOnlyAdmin, StreamedExport, TableAdmin, coloured

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
        secrets = ("auth_token", "second_factor")
        return not lookup.startswith(secrets) and bool(super().lookup_allowed(lookup, value, request))

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

    class Meta:
        help_texts = {"parameters": HELP, "capital": "₹ that this strategy may use; empty: none is set aside."}

    def validate_unique(self) -> None:
        super().validate_unique()
        if not self.errors:
            try:
                self.instance.validate_constraints()
            except ValidationError as error:
                self.add_error(None, error)


@admin.register(Strategy)
class StrategyAdmin(OwnRowsAdmin, ExportAdmin, TableAdmin):
    """Strategies: one's own, and the system's to look at. Live trading is turned on for an account, not here."""

    owner = "owner"
    form = StrategyForm
    resource_classes = (StrategyResource,)
    list_display = ("name", "kind", "owner", "capital", "is_active")
    list_filter = ("kind", "is_active")
    search_fields = ("name", "owner__username")
    readonly_fields = ("created_at",)
    list_select_related = ("owner",)
    actions = ("backtest",)

    def visible_to(self, request: HttpRequest) -> Q:
        return super().visible_to(request) | Q(owner=None)

    def has_change_permission(self, request: HttpRequest, obj: Strategy | None = None) -> bool:
        return _is_own(request, obj) and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Strategy | None = None) -> bool:
        return _is_own(request, obj) and bool(super().has_delete_permission(request, obj))

    @admin.action(description="Backtest over all sessions", permissions=["view"])
    def backtest(self, request: HttpRequest, strategies: "QuerySet[Strategy]") -> None:
        """Queue a backtest of each strategy's terms, as one of whoever asks for it."""
        for strategy in strategies:
            try:
                person = cast(User, request.user)
                started = job.start(person, terms_of_strategy(strategy, person))
            except (writer.TooManyWaiting, BacktestError) as refusal:
                messages.error(request, f"{strategy.name}: {refusal}")
            else:
                messages.success(request, format_html("{}: {}", strategy.name, _link(started)))


def _link(backtest: Backtest) -> str:
    return format_html('<a href="{}">Backtest {}</a>', reverse("portfolio:backtest", args=[backtest.pk]), backtest.pk)


def _is_own(request: HttpRequest, strategy: Strategy | None) -> bool:
    return strategy is None or is_superuser(request) or strategy.owner_id == request.user.pk


_STATUS_COLOURS = {"completed": "success", "failed": "danger", "cancelled": "warning", "running": "info"}


@admin.register(Backtest)
class BacktestAdmin(ReadOnlyAdmin):
    """What was computed, from which data and for whom. The result itself is on its page."""

    list_display = (
        *("created_at", "owner", "strategy", "first", "last", "state", "recipe", "data", "finished_at", "result"),
    )
    list_filter = ("status", "strategy", "recipe")
    search_fields = ("strategy", "recipe", "data_hash", "owner__username")
    list_select_related = ("owner",)
    date_hierarchy = "created_at"
    exclude = ("content", "worker", "fence", "lease_until", "progress")
    export_left_out = ("content",)
    readonly_fields = ("result",)
    actions = ("compute_again",)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Backtest]":
        """Leave the contents in the database: each has hundreds of kilobytes."""
        rows: QuerySet[Backtest] = super().get_queryset(request).defer("content")
        return rows

    @coloured("status", _STATUS_COLOURS)
    def state(self, backtest: Backtest) -> tuple[str, str]:
        return backtest.status, backtest.get_status_display()

    @admin.display(description="data", ordering="data_hash")
    def data(self, backtest: Backtest) -> str:
        return backtest.data_hash[:12]

    @admin.display(description="page")
    def result(self, backtest: Backtest) -> str:
        return _link(backtest)

    @admin.action(description="Compute again", permissions=["view"])
    def compute_again(self, request: HttpRequest, backtests: "QuerySet[Backtest]") -> None:
        """Queue the same parameters again for the same people, by the data and the champion of today."""
        for backtest in backtests:
            try:
                again = job.start(backtest.owner, job.stored_parameters(backtest), again=True)
            except (writer.TooManyWaiting, BacktestError) as refusal:
                messages.error(request, f"Backtest {backtest.pk}: {refusal}")
            else:
                messages.success(request, f"Backtest {backtest.pk} is computed again as {again.pk}.")
