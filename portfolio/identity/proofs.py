"""Whether somebody proved a moment ago who they are: asked before what moves money, and kept in their session.

Real money is traded, and a broker's secret entered or replaced, by nobody who only found a browser logged in.
"""

from datetime import datetime, timedelta
from typing import Any, Final, cast

from django.contrib.auth import authenticate
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from portfolio.models import User

LASTS: Final = timedelta(minutes=15)
WRONG_PASSWORD: Final = "The password is not right; type the one of your account on this site."
_PROVED_AT: Final = "proved_at"


def is_recently_proved(request: HttpRequest, at: datetime) -> bool:
    """Whether who sent a request gave a proof within the last fifteen minutes, in this session."""
    if not request.user.is_authenticated or _PROVED_AT not in request.session:
        return False
    since = at.timestamp() - request.session[_PROVED_AT]
    return bool(0 <= since < LASTS.total_seconds())


@sensitive_variables("typed")
def prove(request: HttpRequest, typed: str, at: datetime) -> str:
    """Take a proof into the session, for fifteen minutes; a sentence when it is none.

    A wrong password counts as one of the log-in, with its limits.
    """
    person = cast("User", request.user)
    if authenticate(request, username=person.get_username(), password=typed) != person:
        return WRONG_PASSWORD
    record_proof(request, at)
    return ""


@sensitive_variables("typed")
def missing_proof(person: User, typed: str) -> str:
    """Why what a person typed proves nothing, as a sentence; empty where it does. The caller limits the tries."""
    return "" if person.check_password(typed) else WRONG_PASSWORD


def record_proof(request: HttpRequest, at: datetime) -> None:
    """Keep in the session that its person gave a proof."""
    request.session[_PROVED_AT] = at.timestamp()


def _record_log_in(request: HttpRequest, user: User, **_more: Any) -> None:
    if user.last_login is not None:  # Django's own receiver has just set it
        record_proof(request, user.last_login)


def watch_log_ins() -> None:
    """Let a log-in, which takes the password, be a proof."""
    user_logged_in.connect(_record_log_in)
