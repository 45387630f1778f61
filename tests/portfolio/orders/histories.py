"""Lines of events: written by hand in a few words, or drawn at random with all that goes wrong between two systems."""

import json
import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zlib import crc32

from portfolio.orders.events import Event, event_of
from portfolio.orders.projection import Projection, projection

IST = timezone(timedelta(hours=5, minutes=30))
Line = dict[str, Any]


def clock(text: str) -> str:
    """`9:15` or `9:15:01.5` on 2 February 2026, `3/9:15` on the 3rd, in IST."""
    day, _, time = text.rpartition("/")
    hour, _, rest = time.partition(":")
    seconds = rest if ":" in rest else f"{rest}:00"
    return f"2026-02-{int(day or 2):02}T{int(hour):02}:{seconds}+05:30"


def line(kind: str, at: str = "9:00", **fields: Any) -> Line:
    """An event of the order A; its key says what it says, so that another content is another key."""
    times = {name: clock(value) for name, value in fields.items() if name == "broker_at"}
    content = fields | times
    return {"kind": kind, "key": f"{kind} {at} {crc32(repr(fields).encode())}", "order": "A", "at": clock(at)} | content


def create(quantity: Any = 10, at: str = "9:00", **fields: Any) -> Line:
    return line("create", at, side="buy", quantity=quantity, **fields)


def fill(trade_id: str, quantity: int, broker_at: str = "9:20", price: Any = "100", **fields: Any) -> Line:
    return line("fill", "16:00", trade_id=trade_id, quantity=quantity, price=price, broker_at=broker_at, **fields)


def book(status: str, broker_at: str = "9:30", filled_quantity: int = 0, **fields: Any) -> Line:
    return line("seen", "16:00", status=status, filled_quantity=filled_quantity, broker_at=broker_at, **fields)


def sent(quantity: int = 10) -> list[Line]:
    """An order that the broker took in."""
    return [
        create(quantity),
        line("queue", "9:01"),
        line("send", "9:02"),
        line("answer", "9:03", broker_order_id="B1"),
    ]


def events(lines: Iterable[Line]) -> list[Event]:
    return [event_of(json.dumps(row).encode(), f"Line {number}") for number, row in enumerate(lines, 1)]


def projected(*lines: Line) -> Projection:
    return projection(events(lines))


# --- at random ------------------------------------------------------------------------------------------------------
_KINDS = {
    "create": 8,
    "refuse": 1,
    "queue": 6,
    "send": 6,
    "answer": 6,
    "no_answer": 2,
    "reject": 1,
    "seen": 8,
    "fill": 14,
    "cancel_asked": 3,
    "cancel_refused": 2,
    "modify_asked": 3,
    "modified": 2,
    "modify_refused": 2,
    "missing": 2,
    "abandon": 1,
}


def random_history(rng: random.Random, order: str) -> list[Line]:
    """Up to twenty events, few keys, trade ids and moments, so that everything meets everything; in any order."""
    quantity, lines = rng.choice((1, 5, 10, 40)), list[Line]()
    left_out = rng.sample(sorted(_KINDS), rng.choice((0, 3, 8, 12)))
    weights = {kind: weight for kind, weight in _KINDS.items() if kind not in left_out}
    for number in range(rng.randrange(1, 21)):
        kind = rng.choices(list(weights), list(weights.values()))[0]
        lines.append(_random_line(rng, order, kind, number, quantity))
    doubled = rng.sample(lines, rng.randrange(len(lines) + 1)) if rng.random() < 0.3 else []
    lines += [row | {"key": f"again {row['key']}"} if rng.random() < 0.5 else row for row in doubled]
    rng.shuffle(lines)
    return lines


def _random_line(rng: random.Random, order: str, kind: str, number: int, quantity: int) -> Line:
    key = f"k{rng.randrange(number + 1)}" if rng.random() < 0.1 else f"k{number}"
    row: Line = {"kind": kind, "key": key, "order": order, "at": _random_time(rng)}
    part = max(1, quantity * rng.randrange(1, 5) // rng.choice((1, 2, 4, 8)))
    price = rng.choice(("99.95", "100", "100.05", 250.5, 7, "0.333333", "1234567.123456"))
    statuses = ("open", "open", "open", "complete", "cancelled", "rejected", "expired")
    fields: dict[str, Line] = {
        "create": {"side": rng.choice(("buy", "sell")), "quantity": quantity},
        "refuse": {"checks": ["band"]},
        "answer": {"broker_order_id": "B1"},
        "reject": {"reason": ""},
        "seen": {
            "status": rng.choice(statuses),
            "filled_quantity": rng.choice((0, part, quantity)),
            "broker_at": _random_time(rng),
        },
        "fill": {
            "trade_id": f"T{rng.randrange(6)}",
            "quantity": part,
            "price": price,
            "broker_at": _random_time(rng),
        },
        "modify_asked": {"quantity": part, "price": rng.choice((None, price))},
        "modified": {"quantity": part, "price": rng.choice((None, price))},
        "abandon": {"operator": "asha", "reason": "Not in the book."},
    }
    if kind == "fill" and rng.random() < 0.1:
        row["exchange"] = rng.choice(("NSE", "BSE"))
    return row | fields.get(kind, {})


def without_ties(lines: Iterable[Line]) -> list[Line]:
    """Only the first of lines that share key and moment but not content: of these, the text of R2 prefers none."""
    kept: dict[tuple[str, datetime], Line] = {}
    return [row for row in lines if kept.setdefault((row["key"], _moment(row)), row) == row]


def _moment(row: Line) -> datetime:
    return datetime.fromisoformat(row["broker_at"] if "broker_at" in row else row["at"])


def _random_time(rng: random.Random) -> str:
    """One of twelve minutes on both sides of midnight in IST, spelled in one of two zones."""
    time = datetime(2026, 2, 2, 23, 54, tzinfo=IST) + timedelta(minutes=rng.randrange(12))
    return time.astimezone(rng.choice((IST, UTC))).isoformat()
