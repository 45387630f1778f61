"""A simulated account between which and the sender answers are lost, come too late, or come twice."""

import json
from collections.abc import Callable
from dataclasses import fields
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any, Final

from brokers.charges import Product, Side
from brokers.plain_data import plain
from brokers.protocol import Broker, BrokerError, OrderRequest, OrderType, OutcomeUnknown, Placed, Rows
from portfolio.sending.points import reach

_LONGEST_LATE_SECONDS: Final = 90


class Answers(StrEnum):
    """What happens to the answer to an order."""

    TIMELY = "timely"
    LOST = "lost"
    LATE = "late"
    DOUBLED = "doubled"


class DrilledVenue:
    """The account of a round; everything but placing and reading is the simulated broker's.

    Parameters
    ----------
    answers : of the order in a share
    post : the file of requests on their way: they reach the venue even if their sender is dead by then
    chance : whether a request whose answer is lost was done, and how late a late one is
    """

    def __init__(
        self, broker: Broker, clock: Callable[[], datetime], answers: dict[str, Answers], post: Path, chance: Random
    ) -> None:
        self._broker, self._clock, self._answers, self._post, self._chance = broker, clock, answers, post, chance

    def __getattr__(self, name: str) -> Any:
        return getattr(self._broker, name)

    def place(self, request: OrderRequest) -> Placed:
        """Send an order; the point `bytes_left` is when it has reached the venue, or is on its way to it."""
        answers = self._answers[request.symbol]
        if answers is Answers.LATE:
            self._put_into_post(request)
        elif answers is not Answers.LOST or self._chance.random() < 0.5:
            placed = self._broker.place(request)
        reach("bytes_left")
        if answers in (Answers.LOST, Answers.LATE):
            raise OutcomeUnknown(f"Nobody told whether the order was taken in: the drill has its answer {answers}.")
        return placed

    def orders(self) -> Rows[Any]:
        return self._doubled(self._delivered().orders())

    def trades(self) -> Rows[Any]:
        return self._doubled(self._delivered().trades())

    def find_by_tag(self, tag: str) -> Rows[Any]:
        return self._doubled(self._delivered().find_by_tag(tag))

    def _doubled(self, rows: Rows[Any]) -> Rows[Any]:
        """Each row twice, where answers are doubled."""
        return Rows(rows.rows * 2) if Answers.DOUBLED in self._answers.values() else rows

    def _put_into_post(self, request: OrderRequest) -> None:
        due = self._clock() + timedelta(seconds=self._chance.uniform(1, _LONGEST_LATE_SECONDS))
        with self._post.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"due": due.isoformat(), "request": plain(request)}) + "\n")

    def _delivered(self) -> Broker:
        """Let arrive what is due."""
        lines = self._post.read_text(encoding="utf-8").splitlines() if self._post.exists() else []
        waiting = []
        for line in lines:
            letter = json.loads(line)
            if datetime.fromisoformat(letter["due"]) > self._clock():
                waiting.append(line)
                continue
            try:
                self._broker.place(_request(letter["request"]))
            except BrokerError:
                continue  # nobody hears it
        if len(waiting) < len(lines):
            self._post.write_text("".join(f"{line}\n" for line in waiting), encoding="utf-8")
        return self._broker


def _request(content: dict[str, Any]) -> OrderRequest:
    amounts = {name: Decimal(content[name]) for name in ("price", "trigger_price") if content[name] is not None}
    kinds = {
        "side": Side(content["side"]),
        "order_type": OrderType(content["order_type"]),
        "product": Product(content["product"]),
    }
    names = {field.name for field in fields(OrderRequest)}
    return OrderRequest(**{name: content[name] for name in names} | amounts | kinds)
