"""Events of orders, and the reading of their JSON lines; pure.

A line is an object with `kind`, `key`, `order`, `at` and the fields of its kind (`FIELDS`), each once and no other.

- `key` counts once an order; `at` is when this system wrote the event down, `broker_at` when it happened by the
  broker's clock: both ISO 8601 with an offset.
- Amounts are ₹ per share, as text or number; a `price` of a modification is null for an order without a limit.
  Quantities are whole numbers, `checks` a list of codes, everything else text.
- Any event may name the order's `account`, `create` the `tag`, `fill` the `exchange`. What the account means for fills
  is said in `portfolio.orders.replay`.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple

from brokers.charges import Side
from brokers.protocol import IST, check_tag

MOST_LINES: Final = 1_000_000
LONGEST_LINE: Final = 100_000
LARGEST_QUANTITY: Final = 999_999_999
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")
_TIME = re.compile(
    r"20[0-9]{2}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:?[0-9]{2})"
)
_LONGEST_NAME, _LONGEST_WORDS, _LONGEST_SHOWN = 200, 2_000, 40


class EventError(ValueError):
    """A line that is no event; the sentence names the line, the value and the remedy."""


class Kind(StrEnum):
    """What happened; see docs/ORDERS.md."""

    CREATE = "create"
    REFUSE = "refuse"
    QUEUE = "queue"
    SEND = "send"
    ANSWER = "answer"
    NO_ANSWER = "no_answer"
    REJECT = "reject"
    SEEN = "seen"
    FILL = "fill"
    CANCEL_ASKED = "cancel_asked"
    CANCEL_REFUSED = "cancel_refused"
    MODIFY_ASKED = "modify_asked"
    MODIFIED = "modified"
    MODIFY_REFUSED = "modify_refused"
    MISSING = "missing"
    ABANDON = "abandon"


class BookStatus(StrEnum):
    """What the broker's book says of an order; one in transit is `open`, an unknown status makes no event."""

    OPEN = "open"
    COMPLETE = "complete"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"


FIELDS: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.CREATE: ("side", "quantity"),
    Kind.REFUSE: ("checks",),
    Kind.QUEUE: (),
    Kind.SEND: (),
    Kind.ANSWER: ("broker_order_id",),
    Kind.NO_ANSWER: (),
    Kind.REJECT: ("reason",),
    Kind.SEEN: ("status", "filled_quantity", "broker_at"),
    Kind.FILL: ("trade_id", "quantity", "price", "broker_at"),
    Kind.CANCEL_ASKED: (),
    Kind.CANCEL_REFUSED: (),
    Kind.MODIFY_ASKED: ("quantity", "price"),
    Kind.MODIFIED: ("quantity", "price"),
    Kind.MODIFY_REFUSED: (),
    Kind.MISSING: (),
    Kind.ABANDON: ("operator", "reason"),
}
"""What an event of each kind says beside `key`, `order` and `at`."""

OPTIONAL: Final[Mapping[Kind, tuple[str, ...]]] = {Kind.CREATE: ("tag",), Kind.FILL: ("exchange",)}
"""What it may say besides; any may name the `account`."""
_COMMON: Final = ("kind", "key", "order", "at")


class FillId(NamedTuple):
    """What a fill is known by in its account: an exchange's numbers of trades begin again each day."""

    exchange: str
    day: date
    trade_id: str


@dataclass(frozen=True, slots=True)
class Event:
    """One event of an order; a field that its kind does not use keeps its default."""

    kind: Kind
    key: str
    order: str
    at: datetime
    account: str = ""
    tag: str = ""
    side: Side | None = None
    quantity: int = 0
    price: Decimal | None = None
    checks: tuple[str, ...] = ()
    broker_order_id: str = ""
    reason: str = ""
    operator: str = ""
    status: BookStatus | None = None
    filled_quantity: int = 0
    broker_at: datetime | None = None
    trade_id: str = ""
    exchange: str = "NSE"

    @property
    def moment(self) -> datetime:
        """When it happened: by the broker's clock for its facts, else by ours."""
        return self.broker_at or self.at

    @property
    def sequence(self) -> tuple[datetime, bool, str, str]:
        """By which events are ordered (R2): the content decides last, so that the order is total."""
        return self.moment, self.status not in (None, BookStatus.OPEN), self.key, repr(self)

    @property
    def fill_id(self) -> FillId:
        return FillId(self.exchange, self.moment.astimezone(IST).date(), self.trade_id)


def distinct(events: Iterable[Event]) -> list[Event]:
    """Each key once, by the order of R2; of events that share a key the first one by it."""
    by_key: dict[str, Event] = {}
    for event in sorted(events, key=lambda event: event.sequence):
        by_key.setdefault(event.key, event)
    return list(by_key.values())


def events_of(lines: Iterable[bytes]) -> Iterator[Event]:
    """The events of a file's lines, in their order; blank lines are passed over.

    Raises
    ------
    EventError
        At the first line that is no event.
    """
    for number, line in enumerate(lines, 1):
        if number > MOST_LINES:
            raise EventError(f"Line {number}: a file has at most {MOST_LINES} lines; divide it by orders.")
        if line.strip():
            yield event_of(line, f"Line {number}")


def event_of(line: bytes, place: str) -> Event:
    """The event of a JSON line; `place` names it in sentences. Raises EventError."""
    members = _members_of(line, place)
    kind = _value("kind", members.get("kind"), _choice(Kind), place)
    allowed = (*_COMMON, *FIELDS[kind], "account", *OPTIONAL.get(kind, ()))
    for name in members:
        if name not in allowed:
            raise EventError(f"{place}: {_shown(name)} is no field of {kind}; leave it out ({', '.join(allowed)}).")
    for name in (*_COMMON, *FIELDS[kind]):
        if name not in members:
            raise EventError(f"{place}: {kind} has no {name}; add it ({', '.join((*_COMMON, *FIELDS[kind]))}).")
    values = {name: _value(name, value, _reader(kind, name), place) for name, value in members.items()}
    return Event(**values)


class _Unfit(ValueError):
    """A value that its field cannot take; the reason continues after the value."""


class _Twice(ValueError):
    """A name that an object has twice."""


def _members_of(line: bytes, place: str) -> dict[str, Any]:
    if len(line) > LONGEST_LINE:
        raise EventError(f"{place}: is longer than {LONGEST_LINE} bytes; write one event a line.")
    try:
        members = _DECODER.decode(line.decode("utf-8-sig").strip())
    except _Twice as error:
        raise EventError(f"{place}: the field {_shown(str(error))} stands there twice; leave one out.") from error
    except (ValueError, ArithmeticError, RecursionError) as error:
        shown = _shown(line.decode(errors="replace").strip())
        raise EventError(f"{place}: {shown} is no JSON in UTF-8; write one object a line.") from error
    if not isinstance(members, dict):
        raise EventError(f"{place}: {_shown(members)} is no JSON object; write one event a line.")
    return members


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Twice(next(name for name in names if names.count(name) > 1))
    return members


def _integer(digits: str) -> int | Decimal:
    """An int, or a Decimal where Python would refuse to read that many digits."""
    return int(digits) if len(digits) <= _LONGEST_SHOWN else Decimal(digits)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_float=Decimal, parse_int=_integer, parse_constant=Decimal, strict=True
)


def _value(name: str, value: object, reader: Callable[[Any], Any], place: str) -> Any:
    try:
        return reader(value)
    except _Unfit as error:
        raise EventError(f"{place}: {name} {_shown(value)} {error}.") from None


def _shown(value: object) -> str:
    """A value as its line writes it, cut short; in ASCII where it cannot be printed."""
    if isinstance(value, str):
        return ascii(value[:_LONGEST_SHOWN]) if not value.isprintable() else repr(value[:_LONGEST_SHOWN])
    if isinstance(value, list | dict):
        return "[…]" if isinstance(value, list) else "{…}"
    return str(value)[:_LONGEST_SHOWN] if isinstance(value, Decimal) else json.dumps(value)


def _choice(choices: type[StrEnum]) -> Callable[[object], StrEnum]:
    def read(value: Any) -> StrEnum:
        try:
            return choices(value)
        except ValueError:
            raise _Unfit(f"is not known; write one of {', '.join(choices)}") from None

    return read


def _quantity(value: object, least: int = 1) -> int:
    if type(value) is not int or not least <= value <= LARGEST_QUANTITY:
        raise _Unfit(f"is not a whole number of shares from {least} to {LARGEST_QUANTITY}; write one such as 100")
    return value


def _amount(value: object) -> Decimal:
    text = value if isinstance(value, str) else str(value) if type(value) in (int, Decimal) else ""
    if not _AMOUNT.fullmatch(text) or not Decimal(text):
        raise _Unfit('is not a positive amount in ₹; write digits and a point, such as "2450.50"')
    return Decimal(text)


def _limit(value: object) -> Decimal | None:
    return None if value is None else _amount(value)


def _time(value: object) -> datetime:
    try:
        time = datetime.fromisoformat(value if isinstance(value, str) and _TIME.fullmatch(value) else "")
    except ValueError:
        raise _Unfit("is not a time with its offset; write one such as 2026-02-02T09:15:00+05:30") from None
    return time.astimezone(IST)


def _name(value: object) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= _LONGEST_NAME or not value.isprintable():
        raise _Unfit(f"is not a printable text of 1 to {_LONGEST_NAME} characters; write one")
    return value


def _words(value: object) -> str:
    """What a broker or a person wrote, which may be nothing."""
    if not isinstance(value, str) or len(value) > _LONGEST_WORDS or not value.replace("\n", " ").isprintable():
        raise _Unfit(f"is not a printable text of at most {_LONGEST_WORDS} characters; write one")
    return value


def _reason(value: object) -> str:
    words = _words(value)
    if not words.strip():
        raise _Unfit("says nothing; write why the order is abandoned")
    return words


def _tag(value: object) -> str:
    try:
        check_tag(tag := _name(value))
    except _Unfit:
        raise
    except ValueError as error:
        raise _Unfit(f"is not one: {str(error).partition(': ')[2].rstrip('.')}") from None
    return tag


def _codes(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _Unfit('is not a list of codes; write one such as ["band", "funds"]')
    return tuple(map(_name, value))


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(("key", "order", "account", "broker_order_id", "operator", "trade_id", "exchange"), _name),
    **dict.fromkeys(("at", "broker_at"), _time),
    "kind": _choice(Kind),
    "tag": _tag,
    "side": _choice(Side),
    "quantity": _quantity,
    "price": _amount,
    "checks": _codes,
    "reason": _words,
    "status": _choice(BookStatus),
    "filled_quantity": lambda value: _quantity(value, least=0),
}
_OF_KIND: Final[Mapping[tuple[Kind, str], Callable[[Any], Any]]] = {
    (Kind.MODIFY_ASKED, "price"): _limit,
    (Kind.MODIFIED, "price"): _limit,
    (Kind.ABANDON, "reason"): _reason,
}


def _reader(kind: Kind, name: str) -> Callable[[Any], Any]:
    return _OF_KIND.get((kind, name), _READERS[name])
