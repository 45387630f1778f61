"""Broker accounts in the admin. Secrets can be entered and replaced here, but never read.

`OwnRowsAdmin` serves every table whose rows belong to people.
"""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import BooleanField, ExpressionWrapper, ForeignKey, Model, Q, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminPasswordWidget

from brokers.models import BrokerConfiguration

_SECRETS = ("api_secret", "access_token")


def _secret_field(label: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=False,
        strip=True,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}, render_value=False),
        help_text="Stored encrypted and never shown. Leave empty to keep the stored one.",
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

    new_api_secret = _secret_field("New API secret")
    new_access_token = _secret_field("New access token")
    forget_secrets = forms.BooleanField(label="Delete the stored secrets", required=False)

    class Meta:
        model = BrokerConfiguration
        fields = ("user", "broker", "client_id", "is_active", "token_expires_at")

    def save(self, commit: bool = True) -> BrokerConfiguration:
        """Store the secrets entered; empty fields leave theirs untouched, and even unread."""
        for name in _SECRETS:
            entered = self.cleaned_data[f"new_{name}"]
            if entered or self.cleaned_data["forget_secrets"]:
                setattr(self.instance, name, entered)
        account: BrokerConfiguration = super().save(commit)
        return account


@admin.register(BrokerConfiguration)
class BrokerConfigurationAdmin(OwnRowsAdmin):
    form = BrokerConfigurationForm
    fields = (
        *("user", "broker", "client_id", "is_active"),
        *("new_api_secret", "new_access_token", "token_expires_at", "forget_secrets"),
    )
    list_display = (
        *("user", "broker", "client_id", "is_active"),
        *("has_secret", "has_token", "token_expires_at", "updated_at"),
    )
    list_filter = ("broker", "is_active")
    search_fields = ("user__username", "client_id")
    list_select_related = ("user",)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        # Deferred, so that a secret that no key decrypts breaks no page.
        stored = {f"stored_{name}": ExpressionWrapper(~Q(**{name: ""}), BooleanField()) for name in _SECRETS}
        accounts: QuerySet[Any] = super().get_queryset(request).defer(*_SECRETS).annotate(**stored)
        return accounts

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        # Secrets of one broker must not be moved to another.
        return (*super().get_readonly_fields(request, obj), *(("broker",) if obj else ()))

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # A filter by the beginning of a secret would tell it letter by letter.
        return not lookup.startswith(_SECRETS) and bool(super().lookup_allowed(lookup, value, request))

    @admin.display(description="secret stored", boolean=True)
    def has_secret(self, account: Any) -> bool:
        return bool(account.stored_api_secret)

    @admin.display(description="token stored", boolean=True)
    def has_token(self, account: Any) -> bool:
        return bool(account.stored_access_token)
