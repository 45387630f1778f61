"""Where a broker may post that an order has changed. It changes nothing: the sender reads the book earlier.

What it says of the order is not read. Only a checksum that the app's secret makes counts, on its day and once; a body
that is none, a forged one and one of nobody's account are refused alike, so that nothing can be learnt here.
"""

import logging
from datetime import timedelta
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST
from rest_framework.throttling import SimpleRateThrottle

from brokers.accounts import secret_of
from brokers.models import BrokerConfiguration
from brokers.registry import VerifiablePostback, postback_of
from brokers.sealing import SecretUnreadable
from portfolio.models import TradingAccount
from portfolio.sending.nudges import is_first, nudge
from tradingsite.web.client_address import client_address

MOST_BYTES: Final = 16_384
_NEWEST, _OLDEST = timedelta(minutes=5), timedelta(days=1)

logger = logging.getLogger(__name__)


class _Throttle(SimpleRateThrottle):
    """Postbacks from one address."""

    scope = "postbacks"
    rate = "120/min"

    def get_cache_key(self, request: Any, view: Any) -> str:
        return f"throttle:{self.scope}:{client_address(request)}"


@csrf_exempt
@require_POST
@sensitive_variables()
def zerodha(request: HttpRequest) -> HttpResponse:
    """Take a postback of Kite: 204 for a genuine one, 403 for any other, 413 and 429 for too much."""
    if not _Throttle().allow_request(request, None):  # type: ignore[arg-type]
        return HttpResponse(status=429)
    body = request.read(MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        return HttpResponse(status=413)
    postback = postback_of("zerodha", body)
    owners = [] if postback is None else _owners(postback)
    if postback is None or not owners:
        logger.warning("a postback was refused")
        return HttpResponse(status=403)
    if is_first(postback.checksum):
        for account in TradingAccount.objects.filter(configuration__in=owners, is_active=True):
            nudge(account.pk)
    return HttpResponse(status=204)


def _owners(postback: VerifiablePostback) -> list[BrokerConfiguration]:
    """Whose postback it is; a checksum is computed in any case, so that the time does not name the accounts here."""
    if not -_NEWEST <= timezone.now() - postback.at <= _OLDEST:
        return []
    accounts = list(BrokerConfiguration.objects.filter(broker="zerodha", is_active=True, client_id=postback.client_id))
    if not accounts:
        postback.is_genuine("")
    return [account for account in accounts if postback.is_genuine(_secret(account))]


def _secret(account: BrokerConfiguration) -> str:
    """The app's secret; empty, with which nothing is genuine, where none is stored or it does not open."""
    try:
        return secret_of(account, "api_secret")
    except SecretUnreadable:
        return ""
