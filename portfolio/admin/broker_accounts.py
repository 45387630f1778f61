"""Broker accounts in the admin: who enters or replaces a secret proves first who they are."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from brokers.admin import BrokerConfigurationAdmin
from brokers.models import BrokerConfiguration
from portfolio.identity.proofs import is_recently_proved

_ENTERED = ("new_api_secret", "new_access_token")


@admin.register(BrokerConfiguration)
class ProvedBrokerConfigurationAdmin(BrokerConfigurationAdmin):
    """Shows the fields of secrets to those who proved a moment ago who they are, to others the way there."""

    class Media:
        css = {"all": ("tradingsite/forms.css",)}

    readonly_fields = (*BrokerConfigurationAdmin.readonly_fields, "secrets")

    def get_form(self, request: HttpRequest, obj: Model | None = None, change: bool = False, **options: Any) -> Any:
        form = super().get_form(request, obj, change, **options)
        form.may_enter_secrets = _is_proved(request)  # a class of this request alone
        return form

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        fields = list(super().get_fields(request, obj))
        if _is_proved(request):
            return fields
        # The way there stands where the fields would.
        return ["secrets" if name == _ENTERED[0] else name for name in fields if name not in _ENTERED[1:]]

    @admin.display(description="new secrets")
    def secrets(self, account: BrokerConfiguration) -> SafeString:
        change, key = "admin:brokers_brokerconfiguration_change", account.pk
        page = reverse(change, args=[key]) if key else reverse("admin:brokers_brokerconfiguration_add")
        address = f"{reverse('portfolio:confirm-identity')}?{urlencode({'next': page})}"
        return format_html('<a href="{}">Confirm that it is you</a>, and enter them then.', address)


def _is_proved(request: HttpRequest) -> bool:
    return is_recently_proved(request, timezone.now())
