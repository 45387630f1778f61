"""Profile and funds of an account, each called once when its owner asks; kept in the owner's session for the day."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.contrib.sessions.backends.base import SessionBase

from brokers.connections import open_account
from brokers.models import BrokerConfiguration
from brokers.protocol import Broker, BrokerError, NotAuthenticated, SellAuthorisation
from market_data.trading_calendar import IST

_KEY: Final = "broker_tests"
_Calls = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class AccountTest:
    """What an account answered. A call's error has its class and sentence."""

    at: datetime
    calls: _Calls

    @property
    def errors(self) -> dict[str, dict[str, Any]]:
        """The calls that failed."""
        return {name: answer for name, answer in self.calls.items() if "error" in answer}

    @property
    def client_id(self) -> str | None:
        """Whose account the broker says it is."""
        return self.calls.get("profile", {}).get("client_id")

    def is_of_another(self, account: BrokerConfiguration) -> bool:
        """Whether the broker says that it is another client's account."""
        return (
            bool(self.client_id and account.client_id)
            and str(self.client_id).casefold() != account.client_id.casefold()
        )

    @property
    def available(self) -> Decimal | None:
        """Money in the equity account, in ₹."""
        text = self.calls.get("funds", {}).get("available")
        return None if text is None else Decimal(text)

    @property
    def sell_authorisation(self) -> SellAuthorisation | None:
        """The right to sell; None when the broker did not answer."""
        word = self.calls.get("profile", {}).get("sell_authorisation")
        return None if word is None else SellAuthorisation(word)

    @property
    def needs_log_in(self) -> bool:
        """Whether the broker takes the token no more."""
        return any(answer["error"] == NotAuthenticated.word for answer in self.errors.values())


def run_test(account: BrokerConfiguration, clock: Callable[[], datetime]) -> AccountTest:
    """Call profile and funds, each once, whatever the other answered."""
    at = clock()
    try:
        broker = open_account(account, clock, pauses=())
    except BrokerError as error:
        return AccountTest(at, dict.fromkeys(_READS, _failure(error)))
    with closing(broker):
        return AccountTest(at, {name: _answer(broker, read) for name, read in _READS.items()})


def keep_test(session: SessionBase, account: BrokerConfiguration, test: AccountTest) -> None:
    """Keep the account's newest test in its owner's session."""
    kept = session.get(_KEY, {})
    session[_KEY] = kept | {str(account.pk): {"at": test.at.isoformat(), "calls": test.calls}}


def kept_test(session: SessionBase, account: BrokerConfiguration, now: datetime) -> AccountTest | None:
    """The account's test of today, unless the account was changed since."""
    kept = session.get(_KEY, {}).get(str(account.pk))
    if kept is None:
        return None
    test = AccountTest(datetime.fromisoformat(kept["at"]), kept["calls"])
    is_of_today = test.at.astimezone(IST).date() == now.astimezone(IST).date()
    return test if is_of_today and test.at >= account.updated_at else None


def _answer(broker: Broker, read: Callable[[Broker], dict[str, Any]]) -> dict[str, Any]:
    try:
        return read(broker)
    except BrokerError as error:
        return _failure(error)


def _profile(broker: Broker) -> dict[str, Any]:
    profile = broker.profile()
    return {"client_id": profile.client_id, "sell_authorisation": profile.sell_authorisation.value}


def _funds(broker: Broker) -> dict[str, Any]:
    return {"available": f"{broker.funds().available:f}"}


_READS: Final[dict[str, Callable[[Broker], dict[str, Any]]]] = {"profile": _profile, "funds": _funds}


def _failure(error: BrokerError) -> dict[str, Any]:
    return {"error": error.word, "sentence": str(error)}
