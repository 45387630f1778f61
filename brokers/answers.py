"""From what the wire did to an answer or an error: what both vendors' clients share.

Their libraries only build the requests. What they return or raise is not looked at: the same code means a rejection and
a lost answer, types of errors are lost, and half an answer is repeated inside a message, with the token in it.
"""

import json
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Final, TypeVar

from brokers.http import AnswerTooLarge, Exchange, GuardedAdapter
from brokers.protocol import (
    IST,
    WRITES,
    BrokerError,
    DailyBar,
    Holding,
    OutcomeUnknown,
    Quote,
    Quotes,
    Refused,
    Rejected,
    SymbolMaster,
    TooManyCalls,
    Unavailable,
    Unreadable,
)
from brokers.vendor_words import says_that_time_was_out

PAUSES_SECONDS: Final = (0.5, 1.0)
_LONGEST_NAMED_WAIT_SECONDS: Final = 5.0
_LARGEST: Final = 10**15
_FINDS_OUT: Final = "Look for its tag in the order book before anything else."
LOG_IN: Final = "log-in"
"""The exchange for a token: it uses up what it is given, so it is no more repeated than a write."""
_ONCE: Final = WRITES | {LOG_IN}

Result = TypeVar("Result")


class FieldError(ValueError):
    """A field that the vendor documents is absent or of another kind."""


class VendorClient(ABC):
    """One account's calls at one vendor, for one thread.

    Parameters
    ----------
    adapter : the guard of the library's session
    pauses : before each repetition of a reading that was unavailable; empty: every call once
    """

    title: ClassVar[str]

    def __init__(self, adapter: GuardedAdapter, pauses: Sequence[float] = PAUSES_SECONDS) -> None:
        self.adapter, self._pauses = adapter, tuple(pauses)
        self.requests_sent = 0
        self._thread = threading.get_ident()

    def requests_made(self) -> int:
        """How many requests went out."""
        return self.requests_sent

    @abstractmethod
    def close(self) -> None:
        """Close the library's session."""

    @abstractmethod
    def _content(self, answer: dict[str, Any], exchange: Exchange, call: str) -> Any:
        """What a JSON answer holds; raises the error that it is."""

    def json(self, call: str, bucket: str, send: Callable[[], object]) -> Any:
        """Send a request through the library and return its documented content; raises BrokerError."""
        return self._repeated(call, lambda: self._json(call, self._exchange(call, bucket, send)))

    def text(self, call: str, bucket: str, send: Callable[[], object]) -> bytes:
        """Send a request whose answer is a file, and return its bytes."""
        return self._repeated(call, lambda: self._file(call, self._exchange(call, bucket, send)))

    def _repeated(self, call: str, attempt: Callable[[], Result]) -> Result:
        if self._thread != threading.get_ident():
            raise RuntimeError("A broker's client belongs to the thread that made it: make one a thread.")
        return repeated(call, self._pauses, attempt)

    def _point(self) -> None:  # noqa: B027  # most libraries keep their address
        """Point the library at this client's root."""

    def _exchange(self, call: str, bucket: str, send: Callable[[], object]) -> Exchange:
        self.adapter.forget()
        self.adapter.bucket = bucket
        self._point()
        with suppress(Exception):  # the adapter's record is the truth; the library's texts may hold secrets
            send()
        if not self.adapter.exchanges:  # the library failed before it sent anything
            raise RuntimeError(f"{self.title}'s library sent nothing for {call}: its arguments are not what it takes.")
        exchange = self.adapter.exchanges[-1]
        self.requests_sent += len(self.adapter.exchanges)
        if exchange.failure is not None:
            raise self._failure(call, exchange)
        return exchange

    def _failure(self, call: str, exchange: Exchange) -> BrokerError:
        """What a request without a whole answer is."""
        failure = exchange.failure
        if isinstance(failure, BrokerError):
            return failure
        if not exchange.was_sent:
            return Unavailable(
                f"{self.title} was not reached for {call} ({type(failure).__name__}); nothing was sent."
                " Try again later.",
                sent=False,
            )
        if exchange.status is not None and 300 <= exchange.status < 400:
            return self._redirect(call, exchange)
        if call in _ONCE:
            return self.unknown(call, f"the answer was lost ({type(failure).__name__})")
        if isinstance(failure, AnswerTooLarge):
            return Unreadable(f"{self.title}'s answer to {call} has {failure}, which no documented one has.")
        return Unavailable(f"{self.title}'s answer to {call} was lost ({type(failure).__name__}). Try again later.")

    def _redirect(self, call: str, exchange: Exchange) -> BrokerError:
        if call in _ONCE:
            return self.unknown(call, f"it redirects elsewhere ({exchange.status})")
        return Refused(
            f"{self.title} redirects {call} elsewhere ({exchange.status}), which is not followed. If it has moved, the"
            " system needs its new address."
        )

    def unknown(self, call: str, reason: str, code: str | None = None) -> OutcomeUnknown:
        """The error of a write, or a log-in, of which nobody told the outcome."""
        remedy = "What it was given is used up." if call == LOG_IN else _FINDS_OUT
        return OutcomeUnknown(f"Nobody told whether {self.title} did the {call}: {reason}. {remedy}", code=code)

    def unavailable(self, call: str, reason: str, code: str | None = None) -> BrokerError:
        """What a fault of the vendor's own systems means: on a write, that its outcome is unknown."""
        if call in _ONCE:
            return self.unknown(call, reason, code)
        return Unavailable(f"{self.title} cannot answer {call} now: {reason}. Try again later.", code=code)

    def rejected(self, call: str, words: str, code: str | None) -> BrokerError:
        """What a refusal means by its words: one that says that the time was out tells no outcome of a write."""
        if call in WRITES and says_that_time_was_out(words):
            return self.unknown(call, f"it says {words}", code)
        return Rejected(f"{self.title} rejects {call}: {words}.", code=code)

    def unreadable(self, call: str, reason: str) -> BrokerError:
        """What an answer that is not documented means."""
        if call in _ONCE:
            return self.unknown(call, reason)
        return Unreadable(f"{self.title}'s answer to {call} is not as documented: {reason}.")

    def _check_status(self, call: str, exchange: Exchange) -> None:
        """Raise what the status alone decides."""
        status = exchange.status or 0
        if status == 429:
            wait = named_wait(exchange.headers)
            named = f" It asks for {wait:g} seconds." if wait else ""
            raise TooManyCalls(
                f"{self.title} did not take {call}: too many calls (429).{named} Call less often.",
                code=self._named_code(exchange) or "429",
                retry_after_seconds=wait,
            )
        if 300 <= status < 400:
            raise self._redirect(call, exchange)

    def _named_code(self, exchange: Exchange) -> str | None:
        """The vendor's own code in an answer that its status already decides; None when it has none."""
        try:
            answer = _parsed(exchange.body)
        except (ValueError, RecursionError):
            return None
        return self._code(answer) if isinstance(answer, dict) else None

    def _code(self, answer: dict[str, Any]) -> str | None:
        """The code of an error, as the vendor writes it; files have none."""
        return None

    def _json(self, call: str, exchange: Exchange) -> Any:
        self._check_status(call, exchange)
        status, kind = exchange.status or 0, exchange.headers.get("Content-Type", "").lower()
        try:
            answer = _parsed(exchange.body) if "json" in kind else None
        except ValueError:
            raise self.unavailable(call, f"its answer ({status}) is not whole") from None
        except RecursionError:
            raise self.unreadable(call, "it is nested without an end") from None
        if isinstance(answer, dict):
            return self._content(answer, exchange, call)
        if status >= 500 or _is_html(exchange):
            raise self.unavailable(call, f"it answers {status} without content of ours")
        if not kind:
            raise self.unreadable(call, "it has no content type")
        raise self.unreadable(call, f"it is {kind.split(';')[0]} without an object ({status})")

    def _file(self, call: str, exchange: Exchange) -> bytes:
        kind = exchange.headers.get("Content-Type", "").lower()
        if "json" in kind or exchange.status != 200 or _is_html(exchange):
            self._json(call, exchange)
            raise self.unreadable(call, f"it is JSON ({exchange.status}) instead of a file")
        if not kind:
            raise self.unreadable(call, "it has no content type")
        return exchange.body

    def reading(self, call: str, read: Callable[[], Result]) -> Result:
        """Turn an answer's content into rows; a field that is not as documented makes it unreadable."""
        try:
            return read()
        except FieldError as error:
            raise self.unreadable(call, str(error)) from None


def _is_html(exchange: Exchange) -> bool:
    """Whether an answer is a page, whatever type it is sent as."""
    return "html" in exchange.headers.get("Content-Type", "").lower() or exchange.body.lstrip()[:1] == b"<"


def repeated(call: str, pauses: Sequence[float], attempt: Callable[[], Result]) -> Result:
    """Repeat a reading that is unavailable, after each of the pauses (seconds); a write is never repeated."""
    for pause in () if call in _ONCE else pauses:
        try:
            return attempt()
        except Unavailable as error:
            wait = error.retry_after_seconds or 0.0
            if isinstance(error, TooManyCalls) or wait > _LONGEST_NAMED_WAIT_SECONDS:
                raise
            time.sleep(max(pause, wait))
    return attempt()


def _parsed(body: bytes) -> Any:
    return json.loads(body, parse_float=Decimal, parse_constant=_no_number)


def _no_number(text: str) -> None:
    raise ValueError(text)


def named_wait(headers: Mapping[str, str]) -> float | None:
    """The wait that a vendor names, in whole milliseconds or seconds."""
    for name, unit in (("X-Retry-After-Ms", 1000), ("Retry-After", 1)):
        text = headers.get(name, "").strip()
        if text.isascii() and text.isdigit():
            return int(text) / unit
    return None


def part(content: Any, name: str, kind: type[Result]) -> Result:
    """The list or object that an answer has under a name."""
    value = _field(content, name)
    if not isinstance(value, kind):
        raise FieldError(f"{name!r} is {'absent' if value is None else 'of another kind'}")
    return value


def _field(content: Any, name: str) -> Any:
    """What an object has under a name, or None; what is no object is not as documented."""
    if not isinstance(content, dict):
        raise FieldError(f"there is no object with {name!r}")
    return content.get(name)


def objects(rows: Any) -> list[dict[str, Any]]:
    """The rows of a list, each an object."""
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise FieldError("it is no list of objects")
    return rows


def text(row: dict[str, Any], name: str) -> str:
    """A text that must be there; numbers of orders may come as numbers."""
    value = _field(row, name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise FieldError(f"{name!r} is no text")
    return value.strip()


def optional_text(row: dict[str, Any], name: str) -> str | None:
    """A text that may be empty or absent."""
    value = _field(row, name)
    if value is not None and not isinstance(value, str):
        raise FieldError(f"{name!r} is no text")
    return (value or "").strip() or None


def amount(row: dict[str, Any], name: str) -> Decimal:
    """A number in ₹, as written by the vendor."""
    value = _field(row, name)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise FieldError(f"{name!r} is no number")
    number = Decimal(value)
    if abs(number) >= _LARGEST:
        raise FieldError(f"{name!r} is beyond any amount")
    return number


def price(row: dict[str, Any], name: str) -> Decimal | None:
    """A price, or None where the vendor writes zero, nothing, or what is none."""
    value = _field(row, name)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    number = Decimal(value)
    return number if 0 < number < _LARGEST else None


def whole(row: dict[str, Any], name: str) -> int:
    """A quantity."""
    value = amount(row, name)
    if value != int(value):
        raise FieldError(f"{name!r} is no whole number")
    return int(value)


def ist(moment: str | None, layout: str) -> datetime | None:
    """A time as the vendor writes it, in IST; None where it is empty or not as documented."""
    try:
        return datetime.strptime(moment, layout).replace(tzinfo=IST) if moment else None
    except ValueError:
        return None


def daily_bar(day: date, candle: list[Any]) -> DailyBar:
    """A candle of both vendors: time, open, high, low, close, volume."""
    if len(candle) < 6:
        raise FieldError("a candle has no four prices and volume")
    row = dict(zip(("open", "high", "low", "close", "volume"), candle[1:6], strict=True))
    prices = [price(row, name) for name in ("open", "high", "low", "close")]
    first, high, low, close = (value if value is not None else _no_price(day) for value in prices)
    return DailyBar(day, first, high, low, close, whole(row, "volume"))


def _no_price(day: date) -> Decimal:
    raise FieldError(f"the candle of {day} has a price that is none")


def spans(first: date, last: date, days: int) -> Iterable[tuple[date, date]]:
    """Cut a span of days into parts of at most so many days, oldest first."""
    while first <= last:
        end = min(last, first + timedelta(days=days - 1))
        yield first, end
        first = end + timedelta(days=1)


def venue_names(
    symbols: Iterable[str], master: SymbolMaster | None, name_of: Callable[[str, str], str]
) -> dict[str, str]:
    """Symbols, each once → the venue's name of it in its series of today's list; EQ where no list knows it."""
    series: dict[str, str] = {}
    for row in master.rows if master else ():
        series.setdefault(row.symbol, row.series)
    return {symbol: name_of(symbol, series.get(symbol, "EQ")) for symbol in symbols}


def quotes_in_parts(
    names: Mapping[str, str], symbols_a_call: int, quotes_of: Callable[[dict[str, str]], list[Quote]]
) -> Quotes:
    """The quotes of symbols (→ their names), as many a call as the venue takes, and what it did not answer."""
    rows: list[Quote] = []
    missing: list[str] = []
    entries = list(names.items())
    for start in range(0, len(entries), symbols_a_call):
        wanted = dict(entries[start : start + symbols_a_call])
        quotes = quotes_of(wanted)
        rows += quotes
        missing += sorted(wanted.keys() - {quote.symbol for quote in quotes})
    return Quotes(tuple(rows), tuple(missing))


def merged_holdings(holdings: Iterable[Holding]) -> tuple[Holding, ...]:
    """One holding an ISIN, where a vendor reports it in parts: under NSE's name, at the mean price by quantity."""
    merged: dict[str, Holding] = {}
    for holding in holdings:
        isin = holding.isin
        merged[isin] = _together(merged[isin], holding) if isin in merged else holding
    return tuple(merged.values())


def _together(holding: Holding, other: Holding) -> Holding:
    first, second = holding.quantity + holding.t1_quantity, other.quantity + other.t1_quantity
    mean = holding.average_price
    if first + second:
        mean = (holding.average_price * first + other.average_price * second) / (first + second)
    return replace(
        other if other.exchange == "NSE" else holding,
        quantity=holding.quantity + other.quantity,
        t1_quantity=holding.t1_quantity + other.t1_quantity,
        sellable_quantity=holding.sellable_quantity + other.sellable_quantity,
        average_price=mean,
    )
