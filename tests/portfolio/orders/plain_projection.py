"""The rules R1-R6 once more, written from the text of docs/ORDERS.md alone: slow and plain; works on JSON objects.

Shares nothing with `portfolio.orders`.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from typing import Any

Line = dict[str, Any]

BROKERS_FACTS = ("seen", "fill")
ENDS = ("cancelled", "rejected", "expired")


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def moment(line: Line) -> datetime:
    return instant(line["broker_at"] if line["kind"] in BROKERS_FACTS else line["at"])


def is_before(left: Line, right: Line) -> bool:
    """R2, then key, then content."""
    if moment(left) != moment(right):
        return moment(left) < moment(right)
    opens = [line["kind"] != "seen" or line["status"] == "open" for line in (left, right)]
    if opens[0] != opens[1]:
        return bool(opens[0])
    return bool(left["key"] < right["key"])


def in_order(lines: Sequence[Line]) -> list[Line]:
    """By insertion: a line goes before the first that it is before."""
    ordered: list[Line] = []
    for line in lines:
        place = next((at for at, other in enumerate(ordered) if is_before(line, other)), len(ordered))
        ordered.insert(place, line)
    return ordered


def fill_name(line: Line) -> tuple[str, str, str]:
    day = (instant(line["broker_at"]) + timedelta(hours=5, minutes=30)).date()
    return line.get("exchange", "NSE"), day.isoformat(), line["trade_id"]


def once(lines: Sequence[Line]) -> list[Line]:
    """R1."""
    keys, names, kept = set(), set(), []
    for line in in_order(lines):
        if line["key"] in keys:
            continue
        keys.add(line["key"])
        if line["kind"] == "fill":
            if fill_name(line) in names:
                continue
            names.add(fill_name(line))
        kept.append(line)
    return kept


def of(lines: Sequence[Line], *kinds: str) -> list[Line]:
    return [line for line in lines if line["kind"] in kinds]


def pending(lines: Sequence[Line]) -> str:
    """R5, without the states."""
    requests = of(lines, "cancel_asked", "modify_asked")
    if not requests:
        return ""
    after = lines[lines.index(requests[-1]) + 1 :]
    if requests[-1]["kind"] == "cancel_asked":
        return "" if of(after, "cancel_refused") else "cancel"
    return "" if of(after, "modify_refused", "modified") else "modify"


def state(lines: Sequence[Line], quantity: int | None, filled: int) -> str:
    """R4."""
    statuses = of(lines, "seen")
    if quantity is not None and filled >= quantity:
        return "filled"
    if statuses and statuses[-1]["status"] in ENDS:
        return str(statuses[-1]["status"])
    if of(lines, "reject"):
        return "rejected"
    if of(lines, "abandon"):
        return "abandoned"
    if filled > 0:
        return "partly_filled"
    if of(lines, "answer", "seen"):
        return "open"
    for kind, name in (("no_answer", "unknown"), ("send", "sending"), ("refuse", "refused"), ("queue", "queued")):
        if of(lines, kind):
            return name
    return "created"


def alarms(lines: Sequence[Line], quantity: int | None, filled: int) -> list[str]:
    """R6."""
    fills, statuses, rings = of(lines, "fill"), of(lines, "seen"), []
    if quantity is not None and filled > quantity:
        rings.append("overfill")
    if fills and not of(lines, "send"):
        rings.append("fill_before_send")
    ended = [line for line in statuses if line["status"] in ENDS][:1]
    abandoned = of(lines, "abandon")[:1]
    if any(moment(fill) > moment(end) for fill in fills for end in ended + abandoned):
        rings.append("late_fill")
    if statuses and statuses[-1]["status"] != "open" and statuses[-1]["filled_quantity"] > filled:
        rings.append("fills_missing")
    return sorted(rings)


def plain_projection(lines: Sequence[Line]) -> dict[str, Any]:
    """An order's entry in the answer of `order_replay`."""
    lines = once(lines)
    fills = of(lines, "fill")
    quantities = [line["quantity"] for line in of(lines, "create")[:1] + of(lines, "modified")]
    quantity = quantities[-1] if quantities else None
    filled = sum(line["quantity"] for line in fills)
    average = ""
    if filled:
        with localcontext(Context(prec=200)):
            value = sum(line["quantity"] * Decimal(str(line["price"])) for line in fills) / filled
            average = str(value.quantize(Decimal("0.0001"), ROUND_HALF_UP))
    name = state(lines, quantity, filled)
    return {
        "state": name,
        "filled_quantity": filled,
        "average_price": average,
        "pending": pending(lines) if name in ("open", "partly_filled") else "",
        "alarms": alarms(lines, quantity, filled),
    }
