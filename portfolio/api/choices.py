"""What the values of the API's choices mean."""

from typing import Final

from portfolio.backtest.parameters import REWEIGH, SETTLEMENT
from portfolio.orders.projection import Pending, State

Choices = list[tuple[str, str]]

_WORDS: Final = {
    "none": "holdings keep their weights",
    "equal": "holdings are brought to equal weights at each decision",
    "real": "proceeds are usable when the exchange has settled them",
    "ideal": "proceeds are usable at once",
}
REWEIGH_CHOICES: Final[Choices] = [(value, _WORDS[value]) for value in REWEIGH]
SETTLEMENT_CHOICES: Final[Choices] = [(value, _WORDS[value]) for value in SETTLEMENT]

SIDES: Final[Choices] = [("buy", "purchase"), ("sell", "sale")]
ORDER_TYPES: Final[Choices] = [
    ("limit", "at the price or better"),
    ("market", "at the best price that can be had"),
    ("sl", "a limit order that waits for the trigger price"),
    ("sl-m", "a market order that waits for the trigger price"),
]
CHARGES_OF: Final[Choices] = [("zerodha", "Zerodha’s tariff"), ("fyers", "FYERS’ tariff")]
BACKTEST_BROKERS: Final[Choices] = [*CHARGES_OF, ("simulator", "the simulated broker’s tariff")]

_STATES: Final = {
    State.CREATED: "entered, not yet checked",
    State.REFUSED: "refused by the checks, never sent",
    State.QUEUED: "checked, waits to be sent",
    State.SENDING: "on its way to the broker",
    State.UNKNOWN: "sent without an answer: it is being looked for",
    State.OPEN: "at the exchange",
    State.PARTLY_FILLED: "at the exchange, part of it is filled",
    State.FILLED: "all of it is filled",
    State.CANCELLED: "taken back before all of it was filled",
    State.REJECTED: "not taken by broker or exchange",
    State.EXPIRED: "ended with its session",
    State.ABANDONED: "given up by a person",
}
STATES: Final[Choices] = [(state.value, _STATES[state]) for state in State]
PENDING: Final[Choices] = [
    ("", "nothing was asked"),
    (Pending.CANCEL.value, "a cancel was asked of the broker"),
    (Pending.MODIFY.value, "a change was asked of the broker"),
]
