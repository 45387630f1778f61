"""Whether somebody proved a moment ago who they are: asked before what moves money, and kept in their session.

The proof is the password; of whoever has enrolled a second factor it is a code of that instead. Real money is traded,
and a broker's secret entered or replaced, by nobody who only found a browser logged in.
"""

from datetime import datetime, timedelta
from typing import Any, Final, cast

from django.contrib.auth import authenticate
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from portfolio.identity.second_factor import factor_of, refused_code
from portfolio.models import User

LASTS: Final = timedelta(minutes=15)
WRONG_PASSWORD: Final = "The password is not right; type the one of your account on this site."
_PROVED_AT, _PROVED_BY = "proved_at", "proved_by"
_PASSWORD: Final = 0
"""In the session where the key of a second factor stands otherwise."""


def is_recently_proved(request: HttpRequest, at: datetime) -> bool:
    """Whether who sent a request gave a proof within the last fifteen minutes, in this session."""
    if not request.user.is_authenticated or _PROVED_AT not in request.session:
        return False
    since = at.timestamp() - request.session[_PROVED_AT]
    is_of_now = bool(0 <= since < LASTS.total_seconds())
    return is_of_now and request.session.get(_PROVED_BY) == _needed(request.user)


@sensitive_variables("typed")
def prove(request: HttpRequest, typed: str, at: datetime) -> str:
    """Take a proof into the session, for fifteen minutes; a sentence when it is none.

    A wrong password counts as one of the log-in, with its limits.
    """
    person = cast("User", request.user)
    if factor_of(person):
        refusal = refused_code(person, typed, at)
    else:
        known = authenticate(request, username=person.get_username(), password=typed)
        refusal = "" if known == person else WRONG_PASSWORD
    if not refusal:
        record_proof(request, at)
    return refusal


@sensitive_variables("typed")
def missing_proof(person: User, typed: str, at: datetime) -> str:
    """Why what a person typed proves nothing, as a sentence; empty where it does.

    Codes are limited here, tries of a password by the caller.
    """
    if factor_of(person):
        return refused_code(person, typed, at)
    return "" if person.check_password(typed) else WRONG_PASSWORD


def record_proof(request: HttpRequest, at: datetime) -> None:
    """Keep in the session that its person gave the proof that is needed of them."""
    _record(request, _needed(cast("User", request.user)), at)


def _needed(person: User) -> int:
    factor = factor_of(person)
    return factor.pk if factor else _PASSWORD


def _record(request: HttpRequest, by: int, at: datetime) -> None:
    request.session[_PROVED_AT], request.session[_PROVED_BY] = at.timestamp(), by


def _record_log_in(request: HttpRequest, user: User, **_more: Any) -> None:
    if user.last_login is not None:  # Django's own receiver has just set it
        _record(request, _PASSWORD, user.last_login)


def watch_log_ins() -> None:
    """Let a log-in, which takes the password, be a proof."""
    user_logged_in.connect(_record_log_in)
