"""What a backtest is of: a list, a span, an amount of money and the rules by which it is traded; pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from brokers.charges import BROKERS, TARIFFS
from portfolio.orders.evidence import Limits
from portfolio.orders.limit_values import LimitError, limits_from
from stocks.picks import screening

REWEIGH: Final = ("none", "equal")
SETTLEMENT: Final = ("real", "ideal")
MOST_PLACES: Final = 150
"""The pick history keeps so many places of a list."""

MOST_CAPITAL: Final = Decimal(10) ** 12
MOST_SESSIONS: Final = 1000
_PAISA: Final = Decimal("0.01")


class BacktestError(ValueError):
    """No backtest can be made; the sentence names the value and what to do."""


@dataclass(frozen=True)
class Parameters:
    """A backtest's terms; creating them with a value that is not allowed raises `BacktestError`.

    Attributes
    ----------
    strategy
        Name of an entry of `screening.STRATEGIES`.
    first, last
        The span, both ends included; it need not begin or end on a session.
    capital
        ₹ at the first session.
    holdings, keep
        How many shares are held at most; a held share stays while its place is at most `keep`.
    every
        Sessions from one decision to the next.
    reweigh
        ``equal``: each decision brings every share to its slot; ``none``: only what is bought is sized.
    settlement
        ``real``: proceeds are usable as the exchange settles; ``ideal``: at once.
    broker
        Whose charges are taken; of no account without charges.
    fractional
        Parts of shares, only without charges.
    limits
        Those of the account that trades it, by which its purchases are judged as the desk judges them; none set.
    """

    strategy: str
    first: date
    last: date
    capital: Decimal
    holdings: int = 20
    keep: int = 40
    every: int = 10
    reweigh: str = "none"
    settlement: str = "real"
    broker: str = "zerodha"
    charges: bool = True
    fractional: bool = False
    impact: bool = True
    limits: Limits = field(default=Limits())

    def __post_init__(self) -> None:
        _check_choice("strategy", self.strategy, screening.STRATEGIES)
        _check_choice("reweigh", self.reweigh, REWEIGH)
        _check_choice("settlement", self.settlement, SETTLEMENT)
        if self.charges:
            _check_choice("broker", self.broker, TARIFFS, BROKERS)
        if self.first > self.last:
            raise BacktestError(f"The span begins on {self.first}, after its end {self.last}: exchange the two.")
        _check_capital(self.capital)
        _check_whole("holdings", self.holdings, MOST_PLACES)
        _check_whole("keep", self.keep, MOST_PLACES)
        _check_whole("every", self.every, MOST_SESSIONS)
        if self.keep < self.holdings:
            raise BacktestError(
                f"holdings {self.holdings} is above keep {self.keep}: a share that is held must have a place to stay."
            )
        if self.fractional and self.charges:
            raise BacktestError("Charges are those of whole shares: leave them out to hold fractional shares.")
        _check_limits(self.limits, fractional=self.fractional)

    def as_json(self) -> dict[str, Any]:
        """The terms as they are stored: dates and amounts as text, no broker without charges, limits that are set."""
        limits = self.limits.as_json()
        return {
            "strategy": self.strategy,
            "first": self.first.isoformat(),
            "last": self.last.isoformat(),
            "capital": format(self.capital, "f"),
            "holdings": self.holdings,
            "keep": self.keep,
            "every": self.every,
            "reweigh": self.reweigh,
            "settlement": self.settlement,
            "broker": self.broker if self.charges else None,
            "fractional": self.fractional,
            "impact": self.impact,
            **({"limits": limits} if limits else {}),
        }


def parameters(values: Mapping[str, Any]) -> Parameters:
    """The terms from a form's, a request's or a command's values by the names of `Parameters`; None is left out.

    Texts become dates (YYYY-MM-DD), amounts and whole numbers.

    Raises
    ------
    BacktestError
        A value is missing, cannot be read, is not allowed, or has a name that is not known.
    """
    given = {name: value for name, value in values.items() if value is not None}
    known = {each.name for each in fields(Parameters)}
    if isinstance(given.get("limits"), Mapping):
        given["limits"] = _limits(given["limits"])
    if unknown := sorted(set(given) - known):
        raise BacktestError(f"{unknown[0]!r} is no parameter of a backtest; there are {', '.join(sorted(known))}.")
    for name in ("strategy", "first", "last", "capital"):
        if given.get(name) in (None, ""):
            raise BacktestError(f"A backtest needs a value of {name!r}: give one.")
    return Parameters(
        **{name: _READERS[name](name, value) if name in _READERS else value for name, value in given.items()}
    )


def _day(name: str, value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return datetime.strptime(str(value), "%Y-%m-%d").date()
    except ValueError as error:
        raise BacktestError(f"{name} {str(value)[:40]!r} is not a date; write it as YYYY-MM-DD.") from error


def _amount(name: str, value: object) -> Decimal:
    try:
        return Decimal(str(value))
    except InvalidOperation as error:
        raise BacktestError(f"{name} {str(value)[:40]!r} is not an amount in ₹; write it as 1000000.") from error


def _whole(name: str, value: object) -> int:
    try:
        return int(str(value))
    except ValueError as error:
        raise BacktestError(f"{name} {str(value)[:40]!r} is not a whole number.") from error


_READERS: Final[Mapping[str, Callable[[str, object], Any]]] = {
    **dict.fromkeys(("first", "last"), _day),
    **dict.fromkeys(("holdings", "keep", "every"), _whole),
    "capital": _amount,
}


def _check_choice(name: str, value: str, allowed: Any, listed: Any = None) -> None:
    if value not in allowed:
        raise BacktestError(f"There is no {name} {str(value)[:40]!r}; choose from {', '.join(listed or allowed)}.")


def _check_capital(capital: Decimal) -> None:
    if not capital.is_finite() or capital <= 0:
        raise BacktestError(f"capital {capital} is not a positive amount in ₹; write it as 1000000.")
    if capital > MOST_CAPITAL:
        raise BacktestError(f"capital {capital} is more than ₹{MOST_CAPITAL:,}, the most that can be computed with.")
    if capital % _PAISA:
        raise BacktestError(f"capital {capital} has parts of a paisa; give at most two decimals.")


def _check_limits(limits: Limits, *, fractional: bool) -> None:
    if fractional and limits != Limits():
        raise BacktestError("Limits judge orders of whole shares: leave them out to hold fractional shares.")
    _limits(vars(limits))


def _limits(values: Mapping[str, Any]) -> Limits:
    try:
        return limits_from(values)
    except LimitError as error:
        raise BacktestError(str(error)) from error


def _check_whole(name: str, value: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise BacktestError(f"{name} {value} is not a whole number from 1 to {most}.")
