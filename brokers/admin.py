"""Broker accounts in the admin. Secrets can be entered and replaced here, but never read.

`OwnRowsAdmin` serves every table whose rows belong to people.
"""

from typing import Any, Final

from django import forms
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import BooleanField, ExpressionWrapper, ForeignKey, Model, Q, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from brokers.accounts import SECRETS, store_secrets, unreadable_secrets
from brokers.models import DATA_ACCOUNT_TAKEN, BrokerConfiguration
from brokers.redaction import register_secrets

SECRETS_NEED_PROOF: Final = "Nothing was stored: confirm first that it is you, then enter the secrets again."


def _secret_field(label: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=False,
        strip=True,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}, render_value=False),
        help_text="Stored sealed and never shown. Leave empty to keep the stored one.",
    )


class OwnRowsAdmin(ModelAdmin):
    """Rows of people: a right on the table is a right on one's own rows alone; superusers have it on all.

    Whose a row is, is decided when it is created.
    """

    owner = "user"

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows if is_superuser(request) else rows.filter(self.visible_to(request))

    def visible_to(self, request: HttpRequest) -> Q:
        """Which rows somebody who is no superuser may see."""
        return Q(**{self.owner: request.user.pk})

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return (*super().get_readonly_fields(request, obj), *((self.owner,) if obj else ()))

    def formfield_for_foreignkey(
        self, db_field: "ForeignKey[Any, Any]", request: HttpRequest, **options: Any
    ) -> "forms.ModelChoiceField[Any] | None":
        if db_field.name == self.owner and not is_superuser(request):
            people = get_user_model()._default_manager
            options |= {
                "queryset": people.filter(username=request.user.get_username()),
                "required": True,
                "empty_label": None,
            }
        field: forms.ModelChoiceField[Any] | None = super().formfield_for_foreignkey(db_field, request, **options)
        return field


def is_superuser(request: HttpRequest) -> bool:
    """Whether an active superuser sent the request."""
    return bool(request.user.is_active and getattr(request.user, "is_superuser", False))


class BrokerConfigurationForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    """A form that takes secrets and never shows them."""

    may_enter_secrets = False
    new_api_secret = _secret_field("New API secret")
    new_access_token = _secret_field("New access token")
    forget_secrets = forms.BooleanField(label="Delete the stored secrets", required=False)
    registered_ips = forms.CharField(
        label="Registered addresses",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="From which the broker takes this account's orders: one or two, with a comma or blank between.",
    )

    class Meta:
        model = BrokerConfiguration
        fields = (
            *("user", "broker", "client_id", "app_key", "is_active", "token_expires_at"),
            *("registered_ips", "is_data_account"),
        )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if "registered_ips" in self.fields:
            self.initial["registered_ips"] = ", ".join(self.instance.registered_ips)

    def clean_registered_ips(self) -> list[str]:
        return str(self.cleaned_data["registered_ips"]).replace(",", " ").split()

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        entered = [text for name in SECRETS if (text := cleaned.get(f"new_{name}", ""))]
        register_secrets(*entered)
        is_simulated = (cleaned.get("broker") or self.instance.broker) == BrokerConfiguration.Broker.SIMULATOR
        if entered and not (self.may_enter_secrets or is_simulated):
            self.add_error(None, SECRETS_NEED_PROOF)
        # Django leaves a constraint unchecked of which a column (the broker) is not in the form.
        if self.instance.pk and cleaned.get("is_data_account"):
            marked = BrokerConfiguration.objects.filter(broker=self.instance.broker, is_data_account=True)
            if marked.exclude(pk=self.instance.pk).exists():
                self.add_error("is_data_account", DATA_ACCOUNT_TAKEN)
        return cleaned

    def entered_secrets(self) -> dict[str, Any]:
        """Return what is to be stored; a new token has no end unless one was entered with it."""
        entered: dict[str, Any] = {name: self.cleaned_data[f"new_{name}"] for name in SECRETS}
        if self.cleaned_data["forget_secrets"]:
            return entered
        given = {name: value for name, value in entered.items() if value}
        if "access_token" in given and "token_expires_at" in self.changed_data:
            given["token_expires_at"] = self.cleaned_data["token_expires_at"]
        return given


class BrokerConfigurationAdmin(OwnRowsAdmin):
    """Broker accounts; portfolio/admin/broker_accounts.py registers them, and asks who enters secrets for a proof."""

    form = BrokerConfigurationForm
    fields = (
        *("user", "broker", "client_id", "app_key", "is_active", "is_data_account", "registered_ips"),
        *("new_api_secret", "new_access_token", "token_expires_at", "forget_secrets", "key_id", "unreadable"),
    )
    readonly_fields: tuple[str, ...] = ("key_id", "unreadable")
    list_display = (
        *("user", "broker", "client_id", "is_active", "is_data_account"),
        *("has_secret", "has_token", "token_expires_at", "key_id", "updated_at"),
    )
    list_filter = ("broker", "is_active")
    search_fields = ("user__username", "client_id")
    list_select_related = ("user",)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        # Deferred, so that saving a form does not write back a token that a log-in has replaced meanwhile.
        stored = {f"stored_{name}": ExpressionWrapper(~Q(**{name: ""}), BooleanField()) for name in SECRETS}
        accounts: QuerySet[Any] = super().get_queryset(request).defer(*SECRETS).annotate(**stored)
        return accounts

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        # Secrets of one broker must not be moved to another. What everybody reads by is no single person's to choose.
        readonly = (*super().get_readonly_fields(request, obj), *(("broker",) if obj else ()))
        return readonly if is_superuser(request) else (*readonly, "is_data_account")

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if entered := form.entered_secrets():
            store_secrets(obj, **entered)  # type: ignore[arg-type]  # an account

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # A filter by the beginning of a sealed text is nobody's business.
        return not lookup.startswith(SECRETS) and bool(super().lookup_allowed(lookup, value, request))

    @admin.display(description="secret stored", boolean=True)
    def has_secret(self, account: Any) -> bool:
        return bool(account.stored_api_secret)

    @admin.display(description="token stored", boolean=True)
    def has_token(self, account: Any) -> bool:
        return bool(account.stored_access_token)

    @admin.display(description="does not open")
    def unreadable(self, account: Any) -> str:
        return " ".join(unreadable_secrets(account)) if account.pk else ""
