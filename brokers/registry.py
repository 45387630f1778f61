"""The brokers by name: the only module that knows their folders."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final

from brokers.answers import PAUSES_SECONDS
from brokers.http import AnswerLimits, Turn, no_turn
from brokers.prices import PriceSource
from brokers.protocol import Broker, Capabilities, Profile
from brokers.simulator.behaviour import FRICTIONLESS as FRICTIONLESS
from brokers.simulator.behaviour import Behaviour as Behaviour
from brokers.simulator.broker import SimulatorBroker
from brokers.simulator.client import Around, SimulatorClient
from brokers.simulator.faults import Drill as Drill
from brokers.simulator.faults import Fault as Fault
from brokers.simulator.state import Lot as Lot
from brokers.simulator.state import State as State
from brokers.simulator.synthetic import SyntheticPrices as SyntheticPrices
from brokers.simulator.venue import SimulatedVenue
from brokers.tokens import NewToken

WITH_LOG_IN = ("zerodha", "fyers")
"""Brokers whose accounts are opened by a log-in at the vendor's page."""

SIMULATOR: Final = "simulator"
STARTING_CASH: Final = Decimal(1_000_000)


@dataclass(frozen=True)
class Access:
    """What opens a person's account: the app's key, and the token of today's log-in."""

    app_key: str
    access_token: str = field(repr=False)


@dataclass(frozen=True)
class Transport:
    """How calls travel: limits of an answer, turns at the limiter, pauses before repetitions, other addresses.

    `last_good_master` is the file that keeps the last good list of symbols; None keeps none.
    """

    limits: AnswerLimits = field(default_factory=AnswerLimits)
    turn: Turn = no_turn
    pauses: Sequence[float] = PAUSES_SECONDS
    root: str = ""
    public_root: str = ""
    last_good_master: Path | None = None


def open_broker(name: str, access: Access, transport: Transport, clock: Callable[[], datetime]) -> Broker:
    """Return a broker's account, for the thread that calls; raises ValueError for a name that is none.

    Only here is a vendor's library loaded.
    """
    options = _client_options(transport)
    if name == "zerodha":
        from brokers.zerodha.broker import ZerodhaBroker
        from brokers.zerodha.client import KiteClient

        kite = KiteClient(access.app_key, access.access_token, **options)
        return ZerodhaBroker(kite, transport.last_good_master)
    if name == "fyers":
        from brokers.fyers.broker import FyersBroker
        from brokers.fyers.client import FyersClient

        if transport.public_root:
            options["public_root"] = transport.public_root
        fyers = FyersClient(access.app_key, access.access_token, **options)
        return FyersBroker(fyers, clock, transport.last_good_master)
    raise ValueError(f"{name!r} is no broker with accounts: use one of {', '.join(WITH_LOG_IN)}.")


def _client_options(transport: Transport) -> dict[str, Any]:
    """What both vendors' clients take; without a root they keep their own."""
    options: dict[str, Any] = {"limits": transport.limits, "turn": transport.turn, "pauses": transport.pauses}
    return options | ({"root": transport.root} if transport.root else {})


def capabilities_of(name: str) -> Capabilities:
    """What a broker can do."""
    if name == SIMULATOR:
        return SimulatorBroker.capabilities
    if name == "zerodha":
        from brokers.zerodha.broker import ZerodhaBroker

        return ZerodhaBroker.capabilities
    from brokers.fyers.broker import FyersBroker

    return FyersBroker.capabilities


@dataclass(frozen=True)
class App:
    """A person's app at a vendor: what its page needs to know, and the secret of the exchange."""

    key: str
    secret: str = field(repr=False)


def login_url(name: str, app_key: str, state: str, redirect_uri: str, root: str) -> str:
    """The vendor's page on which the account's owner logs in, and which comes back with the state."""
    if name == "zerodha":
        from brokers.zerodha import log_in as kite

        return kite.login_url(app_key, state, root)
    from brokers.fyers import log_in as fyers

    return fyers.login_url(app_key, redirect_uri, state, root)


def code_name(name: str) -> str:
    """What the code is called with which a vendor's page comes back."""
    return {"zerodha": "request_token", "fyers": "auth_code"}[name]


def is_log_in(name: str, query: Mapping[str, str]) -> bool:
    """Whether a vendor's page came back from a log-in, rather than from a refusal or somebody who gave up."""
    word, success = {"zerodha": ("status", "success"), "fyers": ("s", "ok")}[name]
    return query.get(word, success) == success and "error" not in query


WITH_POSTBACKS: Final = ("zerodha",)
"""Brokers whose postbacks can be told from forged ones; Fyers documents no signature."""


@dataclass(frozen=True)
class VerifiablePostback:
    """A postback that a broker may have sent: whose account's order it is of, when, and how to tell."""

    client_id: str
    at: datetime
    checksum: str
    is_genuine: Callable[[str], bool]


def postback_of(name: str, body: bytes) -> VerifiablePostback | None:
    """The postback of a broker that a body is; None when it is none. `is_genuine` is given the app's secret."""
    if name not in WITH_POSTBACKS:
        raise ValueError(f"{name!r} sends no postbacks that can be verified: use one of {', '.join(WITH_POSTBACKS)}.")
    from brokers.zerodha import postback as kite

    read = kite.postback(body)
    if read is None:
        return None
    return VerifiablePostback(read.client_id, read.at, read.checksum, partial(kite.is_genuine, read))


def new_token(name: str, app: App, code: str, transport: Transport, clock: Callable[[], datetime]) -> NewToken:
    """Exchange a code for a token, once, and ask whose it is. Raises BrokerError; the code is used up even so."""
    options = _client_options(transport) | {"pauses": ()}
    if name == "zerodha":
        from brokers.zerodha import log_in as kite
        from brokers.zerodha.client import KiteClient

        with closing(KiteClient(app.key, "", **options)) as client:
            return kite.exchange(client, code, app.secret, clock())
    from brokers.fyers import log_in as fyers
    from brokers.fyers.client import FyersClient

    with closing(FyersClient(app.key, "", **options)) as stranger:
        token = fyers.exchange(stranger, app.key, code, app.secret)
    with closing(open_broker(name, Access(app.key, token), transport, clock)) as broker:
        return fyers.new_token(token, broker.profile().client_id, clock())


def open_simulator(
    clock: Callable[[], datetime],
    prices: PriceSource | None = None,
    *,
    state: State | None = None,
    behaviour: Behaviour | None = None,
    drills: Sequence[Drill] = (),
    pauses: Sequence[float] = (0.0, 0.0),
    profile: Profile | None = None,
    around: Around | None = None,
) -> SimulatorBroker:
    """Return a simulated account; `broker.state.snapshot()` is all of it, to be taken up again by `State.restored`.

    Parameters
    ----------
    clock : to which the account is moved before each call; it never moves back
    prices : the market; the built-in synthetic one where none is given
    state : the account so far; ₹ 1,000,000 in cash where none is given
    drills : calls to fail, in order
    profile : whose account it is; nobody's where none is given
    around : what keeps the account's memory, call by call; None: nothing
    """
    state = state or State(now=clock(), cash=STARTING_CASH)
    venue = SimulatedVenue(prices or SyntheticPrices(), state, behaviour or Behaviour())
    return SimulatorBroker(SimulatorClient(venue, clock, drills=drills, pauses=pauses, around=around), profile)
