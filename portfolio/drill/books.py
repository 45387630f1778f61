"""Both books of a round, and what of one is not in the other: counted from the books, never from what was meant."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from portfolio.models import LedgerEntry, Order, OrderIntent, PaperVenue, Trade, TradingAccount
from portfolio.orders.projection import State

Line = dict[str, Any]


@dataclass
class Differences:
    """What is in one book and not, or not as often, in the other: each with a sentence."""

    doubled: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def lines_of(account: TradingAccount) -> list[Line]:
    """The venue's own memory, our orders, and the ledger, as JSON lines."""
    return [*_of_the_venue(account), *_of_ours(account), *_of_the_ledger(account)]


def _of_the_venue(account: TradingAccount) -> list[Line]:
    state = PaperVenue.objects.get(account=account).snapshot["state"]
    fills: dict[str, list[Line]] = defaultdict(list)
    for row in state["executions"]:
        fills[row["order_id"]].append(_fill(row["trade_id"], row["quantity"], row["price"]))
    return [
        {
            "book": "venue",
            "tag": order["tag"],
            "symbol": order["symbol"],
            "side": order["side"],
            "quantity": order["versions"][-1]["quantity"],
            "status": order["versions"][-1]["state"],
            "fills": fills[order["order_id"]],
        }
        for order in state["orders"]
    ]


def _of_ours(account: TradingAccount) -> list[Line]:
    fills: dict[int, list[Line]] = defaultdict(list)
    for trade in Trade.objects.filter(account=account).order_by("pk"):
        fills[trade.order_id].append(_fill(trade.broker_trade_id, trade.quantity, f"{trade.price:f}"))
    return [
        {
            "book": "ours",
            "intent": order.intent_id,
            "tag": order.tag,
            "state": order.status,
            "filled_quantity": order.filled_quantity,
            "fills": fills[order.pk],
        }
        for order in Order.objects.filter(account=account).order_by("pk")
    ]


def _of_the_ledger(account: TradingAccount) -> list[Line]:
    entries = LedgerEntry.objects.filter(account=account, kind="fill").order_by("pk")
    return [
        {
            "book": "ledger",
            "symbol": entry.symbol,
            "trade_id": entry.reference.rpartition(":")[2],
            "quantity": entry.quantity,
        }
        for entry in entries
    ]


def _fill(trade_id: str, quantity: int, price: str) -> Line:
    return {"trade_id": trade_id, "quantity": quantity, "price": price}


def compared(lines: Iterable[Line]) -> Differences:
    """Compare the books of one account."""
    books: dict[str, list[Line]] = {"venue": [], "ours": [], "ledger": []}
    for line in lines:
        books[line["book"]].append(line)
    differences = Differences()
    _compare_orders(books["venue"], {line["tag"]: line for line in books["ours"]}, differences)
    _compare_fills(books, differences)
    return differences


def _compare_orders(venue: list[Line], ours: dict[str, Line], differences: Differences) -> None:
    placed = Counter(line["tag"] for line in venue)
    differences.doubled += [f"{count} orders there with the tag {tag}" for tag, count in placed.items() if count > 1]
    for there in venue:
        here = ours.get(there["tag"])
        if here is None:
            differences.lost.append(f"an order there that is none of ours: {there['tag']}")
        elif here["state"] not in _states(there):
            differences.lost.append(f"{there['tag']} is {there['status']} there, and {here['state']} here")
    for tag, here in ours.items():
        if here["state"] not in (State.UNKNOWN, State.REFUSED, State.REJECTED) and tag not in placed:
            differences.lost.append(f"{tag} is {here['state']} here, and not there")


def _states(there: Line) -> tuple[str, ...]:
    """The states that an order may have here by what it is there."""
    if there["status"] in ("open", "in_transit"):
        return (State.PARTLY_FILLED if there["fills"] else State.OPEN,)
    return (there["status"],)


def _compare_fills(books: dict[str, list[Line]], differences: Differences) -> None:
    there: Counter[str] = Counter()
    for line in books["venue"]:
        sign = 1 if line["side"] == "buy" else -1
        there.update({fill["trade_id"]: sign * fill["quantity"] for fill in line["fills"]})
    here: Counter[str] = Counter()
    for line in books["ours"]:
        here.update({fill["trade_id"]: fill["quantity"] for fill in line["fills"]})
        if line["filled_quantity"] != sum(fill["quantity"] for fill in line["fills"]):
            differences.lost.append(f"{line['tag']} has {line['filled_quantity']} filled, and its fills do not")
    entered: Counter[str] = Counter()
    for line in books["ledger"]:
        entered[line["trade_id"]] += line["quantity"]
    for trade_id in there.keys() | here.keys() | entered.keys():
        for book, quantity, expected in (
            ("ours", here[trade_id], abs(there[trade_id])),
            ("ledger", entered[trade_id], there[trade_id]),
        ):
            if quantity != expected:
                kind = differences.doubled if abs(quantity) > abs(expected) else differences.lost
                kind.append(f"of the fill {trade_id} {expected} shares there, and {quantity} in {book}")


def wishes_of(account: TradingAccount) -> Counter[tuple[str, str, str]]:
    """How often each wish (share, side, purpose) has an intent."""
    return Counter(OrderIntent.objects.filter(account=account).values_list("symbol", "side", "purpose"))
