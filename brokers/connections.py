"""Opens a stored account: its secrets, the addresses and time-outs of the settings, its turns at the limiter."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from django.conf import settings

from brokers.accounts import secret_of
from brokers.addresses import VENDORS_ROOTS
from brokers.answers import PAUSES_SECONDS
from brokers.http import AnswerLimits
from brokers.limits import Limiter
from brokers.masters import MASTER_FILE
from brokers.models import BrokerConfiguration
from brokers.protocol import IST, Broker, NotAuthenticated, Refused
from brokers.registry import SIMULATOR, Access, Transport, open_broker, open_simulator
from brokers.sealing import SecretUnreadable

_ROOT_OF: Final = {"zerodha": "KITE_API_ROOT", "fyers": "FYERS_API_ROOT"}
_LEASE_MARGIN_SECONDS: Final = 30


def data_folder(broker: str) -> Path:
    """Where this machine keeps what a broker sent: the last good list of symbols, and a folder for each day."""
    return Path(settings.VAR_DIR) / "brokers" / broker


def root_of(broker: str) -> str:
    """Where a broker's calls go."""
    return str(getattr(settings, _ROOT_OF[broker]))


def is_loopback(broker: str) -> bool:
    """Whether a broker's root is not the vendor's: the settings allow loopback alone beside it."""
    return root_of(broker) != VENDORS_ROOTS[_ROOT_OF[broker]]


def open_data_account(broker: str, clock: Callable[[], datetime]) -> Broker:
    """Return the account that reads a broker's data for everybody, for the thread that calls; raises as `open_account`.

    NotAuthenticated when none is marked as such, too.
    """
    account = BrokerConfiguration.objects.filter(broker=broker, is_data_account=True).select_related("user").first()
    if account is None:
        raise NotAuthenticated(
            f"No account at {BrokerConfiguration.Broker(broker).label} is marked as the account for data: mark one in"
            " the admin (Broker configurations) and log in to it.",
            sent=False,
        )
    return open_account(account, clock)


def open_account(
    account: BrokerConfiguration, clock: Callable[[], datetime], pauses: Sequence[float] = PAUSES_SECONDS
) -> Broker:
    """Return a stored account, for the thread that calls.

    Before anything is sent, raises NotAuthenticated without a token that lasts, and Refused when it does not open.
    """
    if account.broker == SIMULATOR:
        return open_simulator(clock, pauses=pauses)
    access = Access(account.app_key, _access_token(account, clock()))
    return open_broker(account.broker, access, transport_of(account, pauses), clock)


def transport_of(account: BrokerConfiguration, pauses: Sequence[float] = ()) -> Transport:
    """How an account's calls travel."""
    limits = AnswerLimits(settings.BROKER_TIMEOUT_SECONDS, settings.BROKER_ANSWER_SECONDS)
    return Transport(
        limits,
        limiter_of(account).turn,
        pauses,
        root=root_of(account.broker),
        public_root=settings.FYERS_PUBLIC_ROOT,
        last_good_master=data_folder(account.broker) / MASTER_FILE,
    )


def limiter_of(account: BrokerConfiguration) -> Limiter:
    """What counts an account's calls."""
    return Limiter(
        account.broker,
        counted_as(account),
        lease_seconds=settings.BROKER_ANSWER_SECONDS + settings.BROKER_TIMEOUT_SECONDS + _LEASE_MARGIN_SECONDS,
    )


def counted_as(account: BrokerConfiguration) -> str:
    """The name under which an account's calls are counted."""
    return account.client_id or account.app_key


def foreign_roots() -> dict[str, str]:
    """The addresses that are not the vendors', by their settings: calls go to this machine instead."""
    roots = {name: str(getattr(settings, name)) for name in VENDORS_ROOTS}
    return {name: root for name, root in roots.items() if root != VENDORS_ROOTS[name]}


def _access_token(account: BrokerConfiguration, now: datetime) -> str:
    broker = account.get_broker_display()
    try:
        token = secret_of(account, "access_token")
    except SecretUnreadable as error:
        raise Refused(str(error), sent=False) from None
    if not token or not account.app_key:
        raise NotAuthenticated(
            f"{broker} has no access token or app key of {account.user}: log in to it again.", sent=False
        )
    ends = account.token_expires_at
    if ends is not None and ends <= now:
        raise NotAuthenticated(
            f"The access token of {account.user} at {broker} ended on {ends.astimezone(IST):%d %B %Y at %H:%M} IST: log"
            " in to it again.",
            sent=False,
        )
    return token
