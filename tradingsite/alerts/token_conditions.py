"""Accounts whose token will not last for the day's trading: at 08:00 of a session, once for each account and day."""

from datetime import datetime
from typing import Final

from django.urls import reverse

from brokers.accounts import unreadable_secrets
from brokers.log_in import site_address
from brokers.models import BrokerConfiguration
from brokers.registry import WITH_LOG_IN
from market_data import trading_calendar
from market_data.trading_calendar import IST
from portfolio.pages.brokers.readiness import READY_FROM, end_of_trading
from tradingsite.alerts.symptoms import CheckContext, ConditionResult, Symptom
from tradingsite.models import Trouble

_NAME: Final = "brokers"


def ending_tokens(context: CheckContext) -> ConditionResult:
    """Return one symptom for each active account that must be connected before the session can be traded."""
    local = context.now.astimezone(IST)
    until = end_of_trading(local.date())
    if local.time() < READY_FROM or local >= until:
        return ConditionResult()
    accounts = BrokerConfiguration.objects.filter(broker__in=WITH_LOG_IN, is_active=True, user__is_active=True)
    waiting = [
        account
        for account in accounts.exclude(app_key="").select_related("user")
        if not _lasts(account, until) or unreadable_secrets(account)
    ]
    if not waiting or not trading_calendar.is_session(local.date()):
        return ConditionResult()
    symptoms = [_symptom(account, local) for account in waiting]
    # Whoever connected and lost the token again has had today's alert.
    over = Trouble.objects.filter(key__in=[symptom.key for symptom in symptoms]).exclude(over_at=None)
    reported = set(over.values_list("key", flat=True))
    return ConditionResult([symptom for symptom in symptoms if symptom.key not in reported])


def _lasts(account: BrokerConfiguration, until: datetime) -> bool:
    ends_at = account.token_expires_at
    return bool(account.access_token) and ends_at is not None and ends_at >= until


def _symptom(account: BrokerConfiguration, local: datetime) -> Symptom:
    ends_at = account.token_expires_at
    state = "has no token that is known to last"
    if ends_at is not None:
        state = f"has a token until {ends_at.astimezone(IST):%d %b %H:%M} IST only"
    if unreadable_secrets(account):
        state = "has a secret that does not open, which its page in the admin explains"
    return Symptom(
        f"{_NAME}:{account.broker}:{account.pk}:{local.date()}",
        f"The account of {account.user} at {account.get_broker_display()} {state}; trading lasts until 15:30.",
        f"Its owner connects it: {site_address()}{reverse('portfolio:brokers')}",
    )
