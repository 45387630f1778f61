"""API tokens in the admin: everybody makes and revokes their own; a key is shown once, on the answer that makes it."""

from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextInputWidget,
)

from brokers.admin import OwnRowsAdmin
from portfolio.models import ApiToken, Scope, User
from portfolio.tokens import MOST_DAYS, NotMade, make_token, revoke


class TokenForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    """What a new token is for; it is stored as soon as it is found right."""

    name = forms.CharField(max_length=100, widget=UnfoldAdminTextInputWidget, help_text="What uses it.")
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices,
        initial=[Scope.READ],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Give it no more than it needs. It never does what you may not do, and never trades live.",
    )
    days = forms.IntegerField(
        min_value=1, max_value=MOST_DAYS, widget=UnfoldAdminIntegerFieldWidget, help_text="How long it lives."
    )

    class Meta:
        model = ApiToken
        fields = ()

    person: User
    key = ""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["days"].initial = settings.API_TOKEN_DAYS

    def clean(self) -> dict[str, Any]:
        """Make the token: only its storing finds out whether the name is free."""
        entered: dict[str, Any] = super().clean() or self.cleaned_data
        if self.errors:
            return entered
        facts = {"scopes": entered["scopes"], "days": entered["days"], "now": timezone.now()}
        try:
            self.instance, self.key = make_token(self.person, entered["name"], **facts)
        except NotMade as refusal:
            raise ValidationError(str(refusal)) from refusal
        return entered


@admin.register(ApiToken)
class ApiTokenAdmin(OwnRowsAdmin):
    list_display = ("name", "user", "prefix", "may", "created_at", "expires_at", "last_used_at", "revoked_at")
    list_display_links = ("name",)
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    list_select_related = ("user",)
    search_fields = ("name", "prefix", "user__username")
    fields = ("user", "name", "prefix", "may", "created_at", "expires_at", "last_used_at", "revoked_at")
    readonly_fields = fields
    actions = ("revoke_tokens",)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        tokens: QuerySet[Any] = super().get_queryset(request).defer("digest")
        return tokens

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return self.fields if obj else ("name", "scopes", "days")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return self.readonly_fields if obj else ()

    def get_form(self, request: HttpRequest, obj: Model | None = None, change: bool = False, **options: Any) -> Any:
        if obj:
            return super().get_form(request, obj, change, **options)
        return type("OwnTokenForm", (TokenForm,), {"person": cast("User", request.user)})

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Revoked tokens stay: entries of the audit name them."""
        return False

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return bool(super().has_delete_permission(request))

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return not lookup.startswith("digest") and bool(super().lookup_allowed(lookup, value, request))

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        more = {"show_save_and_add_another": False, "show_save_and_continue": False, **(extra_context or {})}
        with transaction.atomic():  # made and noted in the history, or neither
            return super().add_view(request, form_url, more)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Keep the key for the answer; the token is stored already."""
        obj.key = form.key

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """Show the key on this very answer: a message would carry it through a cookie."""
        context = self.admin_site.each_context(request) | {"title": "The new API token", "token": obj}
        answer = TemplateResponse(request, "portfolio/new_token.html", context | {"key": obj.key})
        answer["Cache-Control"] = "no-store"
        return answer

    @admin.action(description="Revoke", permissions=["revoke"])
    def revoke_tokens(self, request: HttpRequest, selected: "QuerySet[ApiToken]") -> None:
        """End the selected tokens for good."""
        for token in selected.filter(revoked_at=None):
            self.log_change(request, token, "Revoked.")
        messages.success(request, f"{revoke(selected)} revoked; whoever uses them is refused from now on.")

    @admin.display(description="scopes")
    def may(self, token: ApiToken) -> str:
        return ", ".join(token.scopes)
