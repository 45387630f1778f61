"""Limits on wrong passwords. They are counted in PostgreSQL, so they hold in every process and without a cache.

Three limits, over the last AXES_COOLOFF_TIME:
- an account from one address: locked after AXES_FAILURE_LIMIT wrong passwords;
- one address: refused after PER_ADDRESS, whatever the names;
- one account, whatever the addresses: after BEFORE_PAUSES each new address is made to wait some seconds before its
  password is looked at. That delays everybody and locks nobody out.

An address that the account logged in from before knows only the first limit. Refused attempts count towards none, so
that no lock lasts for ever, and are recorded once per lock. An IPv6 client has a whole /64: it counts as one address.
"""

import ipaddress
import logging
import math
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple

from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_client_username, get_cool_off
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import F, Max, Min, Q, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

PER_ADDRESS: Final = 30
BEFORE_PAUSES: Final = 20
LONGEST_PAUSE: Final = timedelta(seconds=16)
KEPT: Final = timedelta(days=90)
FAILURES_KEPT: Final = 100_000
"""Rows of failed log-ins kept at most, however fast they come: some 30 MB."""

logger = logging.getLogger(__name__)


class Refusal(NamedTuple):
    """Why a password is not looked at: which limit, for how many more seconds, the last wrong password it counts."""

    limit: str
    seconds: int
    since: datetime | None


class _Attempt(NamedTuple):
    """Who tries to log in from where, and what failed there before."""

    username: str
    addresses: tuple[str, str]
    now: datetime
    window: timedelta

    @property
    def at_addresses(self) -> Q:
        return Q(ip_address__gte=self.addresses[0], ip_address__lte=self.addresses[1])

    def is_from_known_address(self) -> bool:
        """Whether the account has logged in from there before."""
        return bool(AccessLog.objects.filter(self.at_addresses, username=self.username).exists())

    def failures(self) -> dict[str, Any]:
        """Wrong passwords and the last of them: of the account here, of the address, of the account."""
        account, here = Q(username=self.username), self.at_addresses
        recent = AccessAttempt.objects.filter(account | here, attempt_time__gt=self.now - self.window)
        scopes = {"pair": account & here, "address": here, "account": account}
        counts = {name: Sum("failures_since_start", filter=scope, default=0) for name, scope in scopes.items()}
        lasts = {f"{name}_last": Max("attempt_time", filter=scope) for name, scope in scopes.items()}
        sums: dict[str, Any] = recent.aggregate(**counts, **lasts)
        return sums

    def refusals_since(self, moment: datetime | None) -> "QuerySet[Any]":
        """Recorded refusals at the address since the last wrong password, or in the window."""
        since = max(moment or self.now - self.window, self.now - self.window)
        rows: QuerySet[Any] = AccessFailureLog.objects.filter(
            self.at_addresses, locked_out=True, attempt_time__gt=since
        )
        return rows


class LoginLimits(AxesDatabaseHandler):  # type: ignore[misc]  # axes has no types
    """Refuses log-ins beyond the limits; deleting access attempts (admin, `axes_reset`) lifts the first two."""

    def is_locked(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> bool:
        attempt = _attempt(request, credentials)
        refusal = _refusal(attempt, attempt.failures())
        request.login_refusal = refusal  # type: ignore[attr-defined]
        return refusal is not None

    def user_login_failed(
        self, sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **_more: Any
    ) -> None:
        """Count a wrong password, or record a refusal; the response says which limit has been reached."""
        if request is None:
            return
        attempt = _attempt(request, credentials)
        refusal: Refusal | None = getattr(request, "login_refusal", None)
        if refusal is None:
            _count_failure(request, attempt)
            reached = _refusal(attempt, attempt.failures())
            # A pause begins with the next attempt: this one was looked at.
            refusal = reached if reached and reached.limit != "account" else None
        elif not _is_recorded(attempt, refusal):
            _record(request, attempt, was_refused=True)
        request.login_refusal = refusal  # type: ignore[attr-defined]
        request.axes_locked_out = refusal is not None  # type: ignore[attr-defined]
        request.axes_credentials = credentials  # type: ignore[attr-defined]


def refused_login(
    request: HttpRequest, original_response: HttpResponse | None = None, credentials: dict[str, Any] | None = None
) -> HttpResponse:
    """Answer 429 with a sentence and Retry-After (`AXES_LOCKOUT_CALLABLE`)."""
    refusal: Refusal = request.login_refusal  # type: ignore[attr-defined]
    context = {
        "limit": refusal.limit,
        "seconds": refusal.seconds,
        "minutes": math.ceil(refusal.seconds / 60),
        "failure_limit": settings.AXES_FAILURE_LIMIT,
        "address": request.axes_ip_address,  # type: ignore[attr-defined]
    }
    response = render(request, "registration/locked.html", context, status=429)
    response["Retry-After"] = str(refusal.seconds)
    return response


def purge_logins(today: date) -> int:
    """Delete log-ins, failed ones and ended sessions of the past; return how many."""
    now = timezone.now()
    old = [
        AccessFailureLog.objects.filter(attempt_time__lt=now - KEPT),
        AccessLog.objects.filter(attempt_time__lt=now - KEPT),
        AccessAttempt.objects.filter(attempt_time__lt=now - get_cool_off()),
        Session.objects.filter(expire_date__lt=now),
    ]
    return sum(rows.delete()[0] for rows in old)


def _attempt(request: HttpRequest, credentials: dict[str, Any] | None) -> _Attempt:
    username = get_client_username(request, credentials) or ""
    window: timedelta = get_cool_off(request)
    address: str = request.axes_ip_address  # type: ignore[attr-defined]
    now: datetime = request.axes_attempt_time  # type: ignore[attr-defined]
    return _Attempt(_stored(username, 255), _network(address), now, window)


def _network(address: str) -> tuple[str, str]:
    """First and last address of the network that one client may have to itself."""
    network = ipaddress.ip_network(f"{address}/{64 if ':' in address else 32}", strict=False)
    return str(network[0]), str(network[-1])


def _refusal(attempt: _Attempt, failures: dict[str, Any]) -> Refusal | None:
    if failures["pair"] >= settings.AXES_FAILURE_LIMIT:
        return _until(attempt, "pair", failures["pair_last"] + attempt.window, failures["pair_last"])
    crowded, guessed = failures["address"] >= PER_ADDRESS, failures["account"] >= BEFORE_PAUSES
    if not (crowded or guessed) or attempt.is_from_known_address():
        return None
    if crowded:
        return _until(attempt, "address", failures["address_last"] + attempt.window, failures["address_last"])
    # Each address waits for itself: whoever tries without end cannot use up the owner's turn.
    refusals = attempt.refusals_since(failures["pair_last"]).filter(username=attempt.username)
    begun = refusals.aggregate(first=Min("attempt_time"))["first"] or attempt.now
    pause = min(timedelta(seconds=2 << min(failures["account"] - BEFORE_PAUSES, 10)), LONGEST_PAUSE)
    return _until(attempt, "account", begun + pause, failures["pair_last"])


def _until(attempt: _Attempt, limit: str, end: datetime, since: datetime | None) -> Refusal | None:
    # A row of this very request is a moment younger than the request.
    seconds = math.ceil(min(end - attempt.now, attempt.window).total_seconds())
    return Refusal(limit, seconds, since) if seconds > 0 else None


def _is_recorded(attempt: _Attempt, refusal: Refusal) -> bool:
    refusals = attempt.refusals_since(refusal.since)
    return refusals.exists() if refusal.limit == "address" else refusals.filter(username=attempt.username).exists()


def _count_failure(request: HttpRequest, attempt: _Attempt) -> None:
    with transaction.atomic():
        AccessAttempt.objects.filter(attempt_time__lte=attempt.now - attempt.window).delete()
        facts = _facts(request, attempt)
        key = {name: facts.pop(name) for name in ("username", "ip_address", "user_agent")}
        row, is_new = AccessAttempt.objects.get_or_create(
            **key, defaults={**facts, "get_data": "", "post_data": "", "failures_since_start": 1}
        )
        if not is_new:
            counted = F("failures_since_start") + 1
            AccessAttempt.objects.filter(pk=row.pk).update(failures_since_start=counted, attempt_time=attempt.now)
        _record(request, attempt, was_refused=False)


def _record(request: HttpRequest, attempt: _Attempt, *, was_refused: bool) -> None:
    """Add to the failed log-ins, and forget those beyond the newest."""
    row = AccessFailureLog.objects.create(**_facts(request, attempt), locked_out=was_refused)
    AccessFailureLog.objects.filter(pk__lte=row.pk - FAILURES_KEPT).delete()
    logger.warning(
        "log-in failed",
        extra={"address": request.axes_ip_address, "refused": was_refused},  # type: ignore[attr-defined]
    )


def _facts(request: Any, attempt: _Attempt) -> dict[str, Any]:
    return {
        "username": attempt.username,
        "ip_address": request.axes_ip_address,
        "user_agent": _stored(request.axes_user_agent, 255),
        "http_accept": _stored(request.axes_http_accept, 1025),
        "path_info": _stored(request.axes_path_info, 255),
    }


def _stored(text: str, length: int) -> str:
    """Return a text that its column takes, whatever a client sends."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()[:length]
