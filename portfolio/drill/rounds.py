"""A round: wishes of a new account, a sender that is killed at a point and started again, and the books compared.

The sender is a process of its own, forked and killed by SIGKILL; time is virtual and outlives it, as do the venue's
memory (`paper_venues`), the post on its way, and the database.
"""

import mmap
import os
import signal
import struct
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import product
from pathlib import Path
from random import Random
from typing import Final

from django.db import connections

from brokers.charges import Side
from brokers.protocol import OrderType
from brokers.registry import Behaviour, State
from portfolio.drill import market
from portfolio.drill.books import Line, compared, lines_of, wishes_of
from portfolio.drill.venue import Answers, DrilledVenue
from portfolio.models import Order, PaperVenue, TradingAccount
from portfolio.orders.book import Wish
from portfolio.orders.desk import NotAsked, ask_cancel, ask_modify, draft_of, place
from portfolio.orders.evidence import Draft
from portfolio.orders.projection import WORKING
from portfolio.sending import points
from portfolio.sending.checks import checked_again
from portfolio.sending.sender import Sender
from portfolio.sending.venues import venue_of

LAGS: Final = (0, 5, 60)
_MODES: Final = (Answers.LOST, Answers.LATE, Answers.DOUBLED)
_TURNS_SECONDS: Final = (*[5] * 6, *[20] * 4, *[60] * 9)
"""Between two turns; all that is on its way has arrived long before the last."""

_MOST_STARTS: Final = 20
_SECOND_KILL_CHANCE: Final = 0.25
_PROTECTION: Final = Decimal(5)


@dataclass(frozen=True)
class Plan:
    """What a round does: the point of the first kill and after how many passes, the lag, the answers, the wishes."""

    number: int
    point: str
    passes: int
    lag_seconds: int
    answers: Answers
    wishes: tuple[Wish, ...]
    answers_of: dict[str, Answers]
    asks: str
    chance: str

    def random(self, purpose: str) -> Random:
        return Random(f"{self.chance} {purpose}")


@dataclass
class Outcome:
    """What a round showed."""

    plan: Plan
    kills: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    unknown: int = 0
    lines: list[Line] = field(default_factory=list)


def plan_of(number: int, seed: int) -> Plan:
    """The plan of a round: every combination of point, lag and answers comes once in 45 rounds."""
    combinations = list(product(points.POINTS, LAGS, _MODES))
    Random(f"{seed} order").shuffle(combinations)
    point, lag, mode = combinations[(number - 1) % len(combinations)]
    chance = Random(f"{seed} {number}")
    wishes = _wishes(chance)
    first, *others = [wish.draft.symbol for wish in wishes]
    # One is answered in time, so that there is an answer after which to be killed.
    answers = {first: mode} | {symbol: chance.choice((mode, Answers.TIMELY)) for symbol in others[:-1]}
    answers[others[-1]] = Answers.TIMELY
    most = {"after_answer": 1, "before_state": 10}.get(point, len(wishes))
    asks = chance.choice(("", "cancel", "modify"))
    return Plan(
        *(number, point, chance.randint(1, most), lag, mode, wishes, answers, asks),
        chance=f"{seed} {number}",
    )


def _wishes(chance: Random) -> tuple[Wish, ...]:
    return tuple(
        Wish(_draft(symbol, chance), f"drill {number}")
        for number, symbol in enumerate(chance.sample(market.SYMBOLS, chance.randint(2, 4)))
    )


def _draft(symbol: str, chance: Random) -> Draft:
    close, side = market.last_close(symbol), chance.choice(list(Side))
    quantity = chance.randint(1, 60)
    if chance.random() < 0.5:
        return Draft(
            *("", market.DAY, symbol, side, quantity, OrderType.MARKET), None, None, market_protection=_PROTECTION
        )
    away = chance.choice((-8, -1, 1, 8))
    return Draft("", market.DAY, symbol, side, quantity, OrderType.LIMIT, (close * (100 + away) / 100).quantize(1))


class VirtualClock:
    """The time of a round, in memory that all its processes share."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 8)

    def __call__(self) -> datetime:
        return market.OPENED + timedelta(seconds=self.seconds)

    @property
    def seconds(self) -> float:
        return float(struct.unpack("d", self._memory[:8])[0])

    def advance(self, seconds: float) -> None:
        self._memory[:8] = struct.pack("d", self.seconds + seconds)


class Round:
    """Plays a plan."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self._post, self._clock = plan, folder / f"post-{plan.number}", VirtualClock()
        self._account = market.new_account(f"Round {plan.number}")

    def play(self) -> Outcome:
        """Start the sender until it ends by itself, and compare the books."""
        plan, outcome = self.plan, Outcome(self.plan)
        chance, armed = plan.random("kills"), (plan.point, plan.passes)
        self._make_venue()
        for _ in range(_MOST_STARTS):
            killed = in_child(lambda armed=armed: self._run(*armed))  # type: ignore[misc]
            if not killed:
                break
            outcome.kills.append(armed[0])
            again = chance.random() < _SECOND_KILL_CHANCE
            armed = (chance.choice(points.POINTS), chance.randint(1, 6)) if again else ("", 0)
        self._compare(outcome)
        self._post.unlink(missing_ok=True)
        return outcome

    def _make_venue(self) -> None:
        """Numbers of trades are of this round alone, so that those of all rounds can be compared in one file."""
        state = State(market.OPENED, Decimal(0), numbers=self.plan.number * 10_000)
        PaperVenue.objects.create(account=self._account, snapshot={"state": state.snapshot(), "entered": 0})

    def _run(self, point: str, passes: int) -> None:
        """What one process does: wish (again), and send until the end of the round."""
        if point:
            points.arm(point, passes)
        plan, behaviour = self.plan, self._behaviour()
        for wish in plan.wishes:
            place(self._account, wish, self._clock())
        chance = plan.random(f"venue {self._clock.seconds}")
        with (
            venue_of(self._account, self._clock, behaviour=behaviour, prices=market.PRICES) as broker,
            Sender(
                self._account,
                DrilledVenue(broker, self._clock, plan.answers_of, self._post, chance),
                self._clock,
            ) as sender,
        ):
            ends = sum(_TURNS_SECONDS)
            while self._clock.seconds < ends:
                sender.step()
                self._clock.advance(self._pause())
                self._ask()
            sender.step()

    def _pause(self) -> float:
        passed = 0.0
        for pause in _TURNS_SECONDS:
            passed += pause
            if passed > self._clock.seconds:
                return pause
        return _TURNS_SECONDS[-1]

    def _behaviour(self) -> Behaviour:
        chance = self.plan.random("behaviour")
        return Behaviour(
            seed=self.plan.number,
            partial_chance=Decimal("0.5"),
            rejection_chance=Decimal("0.05"),
            acceptance_seconds=chance.choice((0, 0, 2)),
            book_lag_seconds=self.plan.lag_seconds,
        )

    def _ask(self) -> None:
        """Ask an order that is working to be changed, half-way."""
        if not self.plan.asks or not 60 <= self._clock.seconds <= 120:
            return
        order = Order.objects.filter(account=self._account, status__in=WORKING, pending="").first()
        if order is None:
            return
        try:
            if self.plan.asks == "cancel":
                ask_cancel(order, "drill", self._clock())
            else:
                ask_modify(order, order.quantity + 5, order.price, "drill", self._clock())
        except NotAsked:
            return

    def _compare(self, outcome: Outcome) -> None:
        outcome.lines = lines_of(self._account)
        differences = compared(outcome.lines)
        outcome.doubled, outcome.lost = differences.doubled, differences.lost
        intents = wishes_of(self._account)
        for wish in self.plan.wishes:
            key = wish.draft.symbol, wish.draft.side.value, wish.purpose
            if not intents[key]:
                outcome.lost.append(f"the wish {key} has no intent")
        outcome.doubled += [f"{count} intents of {key}" for key, count in intents.items() if count > 1]
        for order in Order.objects.filter(account=self._account, status="unknown"):
            outcome.unknown += 1
            if "unknown_open" not in {each.code for each in checked_again(_another(order), self._clock())}:
                outcome.lost.append(f"the order {order.tag} is unknown and does not block {order.symbol}")


def _another(order: Order) -> Order:
    """A second order of the same share, unsaved."""
    draft = draft_of(order)
    return Order(
        account=order.account,
        session=draft.session,
        symbol=draft.symbol,
        side=draft.side.value,
        quantity=1,
        order_type=draft.order_type.value,
        product=draft.product.value,
        price=draft.price,
        market_protection=draft.market_protection,
    )


def in_child(work: Callable[[], None]) -> bool:
    """Run a function in a process of its own; return whether that was killed. RuntimeError when it failed."""
    connections.close_all()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            work()
            code = 0
        except BaseException:  # a child must end here, whatever happens
            sys.stderr.write(traceback.format_exc())
        finally:
            connections.close_all()
            sys.stderr.flush()
            os._exit(code)
    try:
        _, status = os.waitpid(pid, 0)
    except BaseException:  # interrupted: it would write on, into a database that goes
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    if os.WIFSIGNALED(status):
        return True
    if os.waitstatus_to_exitcode(status):
        raise RuntimeError("The sender failed; see above.")
    return False


def combinations(outcomes: Sequence[Outcome]) -> int:
    """How many of the combinations of point, lag and answers were played."""
    return len({(outcome.plan.point, outcome.plan.lag_seconds, outcome.plan.answers) for outcome in outcomes})


def account_of(outcome: Outcome) -> TradingAccount:
    """The account of a round."""
    return TradingAccount.objects.get(name=f"Round {outcome.plan.number}")
