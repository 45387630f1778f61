"""Logging in at a broker: a state that serves once, for ten minutes, and the exchange of what comes back for a token.

All that can be checked here (state, person, session, account) is checked before anything is sent. Whoever reads the
table can complete no log-in: it has hashes alone. The database's clock ages the states, for hosts may differ.
"""

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import BooleanField, ExpressionWrapper, Q
from django.db.models.functions import Now
from django.views.decorators.debug import sensitive_variables

from brokers.accounts import secret_of, store_secrets
from brokers.connections import root_of, transport_of
from brokers.models import BrokerConfiguration, BrokerLogIn
from brokers.protocol import BrokerError
from brokers.redaction import register_secrets
from brokers.registry import App, code_name, is_log_in, login_url, new_token
from brokers.sealing import SecretUnreadable
from brokers.tokens import NewToken
from brokers.vendor_words import vendor_words

LASTS: Final = timedelta(minutes=10)
COMMAND: Final = "command"
"""Stands for a session in the states of commands."""

CALLBACK: Final = "/brokers/callback/"
_LONGEST_CODE: Final = 4096


class LogInRefused(ValueError):
    """A log-in that is not completed; the sentence says why and what to do. Nothing was stored."""


@dataclass(frozen=True)
class Begun:
    """A log-in that waits for its person."""

    login_url: str
    expires_at: datetime


@dataclass(frozen=True)
class Connected:
    """An account with a token."""

    broker: str
    title: str
    client_id: str
    token_expires_at: datetime


def site_address(base: str = "") -> str:
    """Where people reach this system, without a slash at its end; `base`: as somebody reaches it just now."""
    return settings.SITE_URL or base or f"http://localhost:{settings.PORT}"


def begin(account: BrokerConfiguration, session_key: str, site: str) -> Begun:
    """Store a state for a person's log-in and return the address of the vendor's page.

    `session_key` is that of the browser's session, or `COMMAND`; `site` the address that people come back to. Raises
    LogInRefused when the account has no app.
    """
    _app(account)
    state = secrets.token_urlsafe(32)
    register_secrets(state)
    row = BrokerLogIn.objects.create(
        state_hash=_hash(state),
        user_id=account.user_id,
        broker=account.broker,
        session_hash=_session_hash(session_key),
    )
    address = login_url(account.broker, account.app_key, state, f"{site}{CALLBACK}", root_of(account.broker))
    return Begun(address, row.created_at + LASTS)


@sensitive_variables()
def complete(
    query: Mapping[str, Sequence[str]],
    user: AbstractBaseUser,
    session_key: str,
    clock: Callable[[], datetime],
    broker: str | None = None,
) -> Connected:
    """Complete the log-in of a person's session by what the vendor's page came back with, once.

    Raises LogInRefused, also with what the broker said to the exchange. `broker`: refuse a log-in at another one.
    """
    values = {name: _only(name, given) for name, given in query.items()}
    row = _checked_state(values.get("state", ""), user, session_key, broker)
    # Only now: whoever guesses at addresses must not decide what the logs of this process leave out.
    register_secrets(*(values.get(name, "") for name in ("request_token", "auth_code")))
    account = BrokerConfiguration.objects.filter(user=row.user_id, broker=row.broker).select_related("user").first()
    if account is None:
        raise LogInRefused(f"There is no account at {row.broker} any more: nothing was sent. Enter it again.")
    app, code = _app(account), _code(account, values)
    _use(row)
    if code is None:
        words = vendor_words(values.get("message") or values.get("error") or values.get("status"))
        raise LogInRefused(
            f"{account.get_broker_display()} ended the log-in ({words}): nothing was sent. Connect again."
        )
    try:
        token = new_token(account.broker, app, code, transport_of(account), clock)
    except BrokerError as error:
        raise LogInRefused(f"{error} Nothing was stored: log in again.") from error
    return _store(account, token)


def purge_log_ins(_today: date) -> int:
    """Delete the states whose time is over; return how many."""
    return BrokerLogIn.objects.filter(created_at__lt=Now() - LASTS).delete()[0]


def _only(name: str, given: Sequence[str]) -> str:
    if len(set(given)) > 1:
        raise LogInRefused(f"The address names {name[:30]!r} more than once: nothing was sent. Connect again.")
    return given[0] if given else ""


def _checked_state(state: str, user: AbstractBaseUser, session_key: str, broker: str | None) -> BrokerLogIn:
    """The log-in that a state belongs to, when it is this person's and can still be completed."""
    if not state:
        raise LogInRefused("The address has no state: nothing was sent. Begin by connecting the account here.")
    expired = ExpressionWrapper(Q(created_at__lte=Now() - LASTS), BooleanField())
    row = BrokerLogIn.objects.filter(state_hash=_hash(state)).annotate(is_expired=expired).first()
    if row is None:
        raise LogInRefused("No log-in with this state was begun here: nothing was sent. Connect again.")
    if row.user_id != user.pk or not user.is_active:
        raise LogInRefused("This log-in was begun by somebody else: nothing was sent. Connect your own account.")
    if broker not in (None, row.broker):
        raise LogInRefused(f"This log-in was begun at {row.broker}, not at {broker}: nothing was sent. Connect again.")
    if row.session_hash != _session_hash(session_key):
        where = "by the command: give it this address" if row.session_hash == COMMAND else "in another session"
        raise LogInRefused(f"This log-in was begun {where}: nothing was sent. Or connect again from here.")
    if row.used_at is not None:
        raise LogInRefused("This log-in was completed before: nothing was sent. Connect again if it failed.")
    if row.is_expired:
        raise LogInRefused(
            f"This log-in took longer than {LASTS.seconds // 60} minutes: nothing was sent. Connect again."
        )
    return row


def _use(row: BrokerLogIn) -> None:
    """Use a state up: of several callbacks at once, one goes on."""
    fresh = BrokerLogIn.objects.filter(pk=row.pk, used_at=None, created_at__gt=Now() - LASTS)
    if not fresh.update(used_at=Now()):
        raise LogInRefused("This log-in was completed or ended meanwhile: nothing was sent. Connect again.")


@sensitive_variables()
def _app(account: BrokerConfiguration) -> App:
    try:
        secret = secret_of(account, "api_secret")
    except SecretUnreadable as error:
        raise LogInRefused(str(error)) from error
    missing = [name for name, value in (("app key", account.app_key), ("API secret", secret)) if not value]
    if missing:
        raise LogInRefused(
            f"The account of {account.user} at {account.get_broker_display()} has no {' and no '.join(missing)}:"
            f" enter them by `manage broker_account set {account.broker}` or in the admin, then connect."
        )
    return App(account.app_key, secret)


def _code(account: BrokerConfiguration, values: Mapping[str, str]) -> str | None:
    """What is exchanged; None when the vendor says that there was no log-in."""
    name = code_name(account.broker)
    if not is_log_in(account.broker, values):
        return None
    code = values.get(name, "")
    if not re.fullmatch(rf"[\x21-\x7e]{{1,{_LONGEST_CODE}}}", code):
        raise LogInRefused(
            f"The address has no {name} as {account.get_broker_display()} sends it: nothing was sent. Connect again."
        )
    return code


def _store(account: BrokerConfiguration, token: NewToken) -> Connected:
    """Store a token that belongs to the account; one without a client id takes the vendor's."""
    with transaction.atomic():
        current = BrokerConfiguration.objects.select_for_update().select_related(None).get(pk=account.pk)
        client_id = current.client_id or token.client_ids[0]
        strangers = [name for name in token.client_ids if name.casefold() != client_id.casefold()]
        if strangers:
            raise LogInRefused(
                f"{account.get_broker_display()} logged {strangers[0][:30]} in, and this account is {client_id}:"
                " nothing was stored. Log in as that client, or correct the account's client id."
            )
        store_secrets(
            current,
            client_id=None if current.client_id else client_id,
            access_token=token.access_token,
            token_expires_at=token.expires_at,
        )
    return Connected(account.broker, account.get_broker_display(), client_id, token.expires_at)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def _session_hash(session_key: str) -> str:
    return session_key if session_key == COMMAND else _hash(session_key)
