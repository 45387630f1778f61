"""What the page about brokers shows of each: access, allowance, abilities."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from brokers.connections import limiter_of
from brokers.limits import Window
from brokers.models import BrokerConfiguration
from brokers.protocol import Adjustment, Capabilities
from brokers.registry import WITH_LOG_IN, capabilities_of

_ADJUSTED: Final = {
    Adjustment.RAW: "Its history is as traded, adjusted for nothing.",
    Adjustment.VENDOR: "Its history is adjusted by the broker for splits, bonuses, rights, and dividends from 2 %.",
    Adjustment.UNKNOWN: "What its history is adjusted for is not documented.",
}
_CANNOT: Final = {
    "zerodha": (
        "Quotes need Kite Connect's paid plan; the free Personal one refuses them.",
        "It has no surveillance measures and no ISINs in its list of symbols.",
    ),
    "fyers": (
        "Quotes need the app's permission Market Data.",
        "Its quotes name their day, not their time.",
    ),
}
_NEITHER: Final = (
    "No log-in without its owner: each day needs one, with the second factor; nothing renews a token.",
    "No sale from holdings without the owner's TPIN of that day, unless the right to sell is standing.",
    "No test market: an order is real. Use the simulator instead.",
)


@dataclass(frozen=True)
class Usage:
    """How much of one limit counts now."""

    counter: str
    window: str
    used: int
    budget: int


@dataclass(frozen=True)
class Abilities:
    """What a broker can do, and what it cannot."""

    can: tuple[str, ...]
    cannot: tuple[str, ...]


def usages(account: BrokerConfiguration) -> list[Usage]:
    """What an account's calls have used of its limits, as all processes count them."""
    if not (account.client_id or account.app_key):
        return []
    return list(_usages(limiter_of(account).usage()))


def abilities(broker: str) -> Abilities:
    """What is said of a broker."""
    known = capabilities_of(broker)
    return Abilities(tuple(_can(known)), (*_lacks(known), *_CANNOT[broker], *_NEITHER))


def named_brokers() -> list[tuple[str, str]]:
    """Brokers with a log-in, and their names for people."""
    return [(name, BrokerConfiguration.Broker(name).label) for name in WITH_LOG_IN]


def accounts_of(user: Any) -> dict[str, BrokerConfiguration]:
    """A person's own accounts by broker."""
    rows = BrokerConfiguration.objects.filter(user=user, broker__in=WITH_LOG_IN).select_related("user")
    return {account.broker: account for account in rows}


def _usages(counted: Mapping[str, list[tuple[Window, int]]]) -> Iterator[Usage]:
    for counter, windows in counted.items():
        for window, used in windows:
            yield Usage(counter, window_words(window), used, window.calls)


def window_words(window: Window) -> str:
    """A window as people say it."""
    return {1: "a second", 60: "a minute", 86_400: "a day"}.get(int(window.seconds), f"{window.seconds:g} s")


def _can(known: Capabilities) -> Iterator[str]:
    yield "Profile, funds, holdings, positions, orders and trades of the day."
    yield f"Quotes of {known.quotes_a_call} symbols a call{' with their price bands' if known.price_bands else ''}."
    yield f"Daily history of {known.history_days_a_call:,} days a call. {_ADJUSTED[known.history_adjusted]}"
    if known.market_protection:
        yield "Market orders carry a protection."


def _lacks(known: Capabilities) -> Iterator[str]:
    if not known.price_bands:
        yield "Its quotes have no price bands."
    if not known.market_protection:
        yield "Market orders carry no protection of ours: the broker makes protected ones of them itself."
