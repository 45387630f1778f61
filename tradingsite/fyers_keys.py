"""FYERS_CLIENT_ID and FYERS_ACCESS_TOKEN, which stood for the whole installation, go into a person's account, once.

That they went is an act of the audit, so that neither a change in the admin nor a deletion is undone at the next start.
"""

import re
from collections.abc import Callable
from datetime import datetime

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from brokers.accounts import account_of, store_secrets
from brokers.tokens import own_expiry
from tradingsite.audit.acts import record_act
from tradingsite.models import AuditEntry

ACT = "take FYERS_ keys"
_VALUE = re.compile(r"[\x21-\x7e]{1,4096}")


def take_fyers_keys(clock: Callable[[], datetime] = timezone.now) -> str:
    """Store the two keys in the first superuser's account at Fyers, unless that was done before or it has its own.

    Returns a warning, empty when neither key is set.
    """
    app, token = settings.FYERS_CLIENT_ID, settings.FYERS_ACCESS_TOKEN
    if not app and not token:
        return ""
    if not all(map(_VALUE.fullmatch, (app, token))) or len(app) > 100:
        return (
            "FYERS_CLIENT_ID and FYERS_ACCESS_TOKEN were not taken: set both, the app id (XXXX-100) and a token without"
            " blanks, or neither. Broker configurations in the admin is the place for them."
        )
    with transaction.atomic():
        people = get_user_model()._default_manager.filter(is_superuser=True, is_active=True)
        admin = people.select_for_update().order_by("pk").first()
        if admin is None:
            return (
                "FYERS_CLIENT_ID and FYERS_ACCESS_TOKEN wait for a superuser: make one by createsuperuser, then start"
                " again or run take_fyers_keys."
            )
        earlier = AuditEntry.objects.filter(act=ACT).first()
        if earlier is not None:
            day = timezone.localtime(earlier.at)
            return f"FYERS_CLIENT_ID and FYERS_ACCESS_TOKEN were taken on {day:%d %B %Y}: {_REMEDY}"
        account = account_of("fyers", admin)
        has_own = bool(account.app_key or account.access_token)
        if not has_own:
            store_secrets(account, app_key=app, access_token=token, token_expires_at=own_expiry(token, clock()))
        record_act(ACT, details={"user": admin.get_username(), "account": account.pk, "stored": not has_own})
    if has_own:
        return f"FYERS_CLIENT_ID and FYERS_ACCESS_TOKEN were not taken, as {admin} has an account of Fyers: {_REMEDY}"
    return f"FYERS_CLIENT_ID and FYERS_ACCESS_TOKEN are now in the account of {admin} at Fyers: {_REMEDY}"


_REMEDY = "remove them from the environment or .env; the account in the admin counts, and these are not read again."
