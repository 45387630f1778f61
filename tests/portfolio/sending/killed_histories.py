"""Random histories, each written by a process that is killed, and once more, in another order, by the next one.

`python -m tests.portfolio.sending.killed_histories N` plays N of them in the database of DATABASE_URL, with processes
of its own: a process that has threads, as one that plays tests, is not to be forked.
"""

import os
import random
import sys
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from portfolio.models import TradingAccount
    from portfolio.orders.book import Wish
    from portfolio.orders.events import Event

InChild = Callable[[Callable[[], None]], bool]
"""Plays a function in a process of its own, and says whether that was killed."""


def outlive_kills(account: "TradingAccount", histories: int, in_child: InChild) -> None:
    """Write histories with kills; AssertionError when order, fills or ledger are not what the events say."""
    from portfolio.models import LedgerEntry, Order, Trade
    from portfolio.orders import book
    from portfolio.orders.projection import projection
    from tests.portfolio.orders.histories import events, random_history
    from tests.portfolio.orders.test_book import wish

    kills = 0
    for seed in range(histories):
        chance = random.Random(seed)
        history = [_of_an_exchange(event, seed) for event in events(random_history(chance, "A"))]
        purpose = wish(purpose=f"history {seed}")
        point, passes = chance.choice(("before_intent", "before_state")), chance.randint(1, 5)
        kills += in_child(partial(_write, account, purpose, history, point, passes if point[7:] == "state" else 1))
        chance.shuffle(history)
        assert not in_child(partial(_write, account, purpose, history))
        order = Order.objects.get(intent__purpose=purpose.purpose)
        create = next(event for event in book.events_of_order(order) if event.key == "create")
        expected = projection([*history, create])
        assert (order.status, order.filled_quantity, order.average_price) == (
            *(expected.state, expected.filled_quantity, expected.average_price),
        )
        fills = Trade.objects.filter(order=order)
        assert sum(fill.quantity for fill in fills) == order.filled_quantity
        entries = LedgerEntry.objects.filter(account=account, reference__contains=f":{seed} ")
        assert sum(entry.quantity for entry in entries) == order.filled_quantity
        assert sum(entry.amount for entry in entries) == -sum(fill.quantity * fill.price for fill in fills)
    assert kills > histories / 2


def _of_an_exchange(event: "Event", seed: int) -> "Event":
    """Its trade belongs to one order alone, and its price has no more decimals than are kept."""
    price = None if event.price is None else event.price.quantize(Decimal("0.01"))
    return replace(event, account="", trade_id=f"{seed} {event.trade_id}", price=price)


def _write(
    account: "TradingAccount", purpose: "Wish", history: "list[Event]", point: str = "", passes: int = 0
) -> None:
    from portfolio.orders import book
    from portfolio.sending import points
    from tests.portfolio.orders.test_book import AT

    if point:
        points.arm(point, passes)
    order, _ = book.order_for(account, purpose, AT)
    for start in range(0, len(history), 3):
        book.record(order, history[start : start + 3])


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingsite.settings")
    import django

    django.setup()
    from portfolio.drill.rounds import in_child
    from portfolio.models import User
    from tests.accounts import paper_account

    outlive_kills(paper_account(User.objects.get(username="asha")), int(sys.argv[1]), in_child)
