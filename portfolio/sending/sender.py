"""The sender of an account: takes queued orders out of the database, sends each once, and records what the broker says.

A turn (`step`) begins with what an earlier process left: a `send` without an answer becomes `no_answer`, and the tag of
an order of unknown fate is looked up in the broker's book. Nothing is ever sent again by itself.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Final, Self

from django.db import transaction

from brokers.plain_data import plain
from brokers.protocol import Broker, BrokerError, NotAuthenticated, OutcomeUnknown, Unavailable, Unreadable
from portfolio.models import Order, TradingAccount
from portfolio.orders.asking import Question, refusal
from portfolio.orders.book import lock_account, record
from portfolio.orders.desk import refuse
from portfolio.orders.events import Event, Kind
from portfolio.orders.kill_switch import kill_switch
from portfolio.orders.projection import State
from portfolio.orders.risk import Refusal
from portfolio.sending.checks import checked_again
from portfolio.sending.facts import answer_of, events_of_order_row
from portfolio.sending.lock import AccountLock
from portfolio.sending.points import reach
from portfolio.sending.polling import Book
from portfolio.sending.requests import REFUSED_BY, Requests, request_of

Checks = Callable[[Order, datetime], Sequence[Refusal]]

LOOK_UP_AGAIN: Final = timedelta(minutes=1)
WAITS: Final = "rate"
"""What an order waits for instead of being refused."""

logger = logging.getLogger(__name__)


class Sender:
    """One account's sender; from its making until it is closed there is no other.

    Parameters
    ----------
    venue : the account at its broker, see `portfolio.sending.venues`
    clock : the time (IST), also of simulated days
    checks : what refuses an order right before it is sent
    """

    def __init__(
        self, account: TradingAccount, venue: Broker, clock: Callable[[], datetime], checks: Checks = checked_again
    ) -> None:
        self.account, self.venue, self._clock, self._checks = account, venue, clock, checks
        self.trouble: BrokerError | None = None
        """Why the broker's book could not be read in the last turn."""
        self._lock = AccountLock(account.pk)
        self._book, self._requests = Book(account, venue), Requests(account)
        self._looked_up: dict[int, datetime] = {}

    def step(self) -> None:
        """Take one turn.

        Raises
        ------
        LockLost
            Before anything is sent: make another sender, or leave the account to the one that has it.
        """
        self._lock.check()
        self.trouble = None
        for order in self._in(State.SENDING):
            record(order, [_no_answer(self._clock())])
        self._read(self._look_up_unknown)
        self._read(lambda: self._book.poll(self._clock()))
        if self.wants_log_in:
            return  # what is queued waits for it
        if kill_switch().is_on:
            self._requests.ask_all_to_cancel(self._clock())
        for order in self._in(State.QUEUED):
            self._send(order)
        for order, request in self._requests.due():
            self._carry_out(order, request)

    def expect_news(self) -> None:
        """Read the broker's book in the next turn, however lately it was read: somebody says that it has changed."""
        self._book.expect_news()

    @property
    def wants_log_in(self) -> bool:
        """Whether the broker did not know the account in the last turn."""
        return isinstance(self.trouble, NotAuthenticated)

    def close(self) -> None:
        """Let the account go; the venue stays open."""
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def _in(self, state: State) -> Sequence[Order]:
        return list(Order.objects.filter(account=self.account, status=state.value).order_by("pk"))

    def _read(self, read: Callable[[], None]) -> None:
        """What the book says is read again in the next turn; that it cannot be read keeps nothing from being done."""
        try:
            read()
        except BrokerError as error:
            self.trouble = error
            logger.warning("account %s: %s", self.account.pk, error)

    # --- orders of unknown fate ---------------------------------------------------------------------------------------

    def _look_up_unknown(self) -> None:
        for order in self._in(State.UNKNOWN):
            last = self._looked_up.get(order.pk)
            # A clock that was set back must not put it off.
            if last is None or abs(self._clock() - last) >= LOOK_UP_AGAIN:
                self._look_up(order)

    def _look_up(self, order: Order) -> None:
        """Ask the book for an order's tag; that it is not there proves nothing."""
        self._looked_up[order.pk] = self._clock()
        rows = self.venue.find_by_tag(order.tag or "").rows
        numbers = {row.order_id for row in rows}
        if len(numbers) > 1:
            logger.error("order %s: its tag stands %s times in the broker's book", order.pk, len(numbers))
        for row in rows:
            at = self._clock()
            record(order, [answer_of(row.order_id, at), *events_of_order_row(row, at)], plain(row))

    # --- sending ------------------------------------------------------------------------------------------------------

    def _send(self, order: Order) -> None:
        """Check an order once more, and send it or refuse it."""
        self._lock.check()
        at = self._clock()
        refused = list(self._checks(order, at))
        if [each.code for each in refused] == [WAITS]:
            return
        # Durable: what is in no transaction of a caller is committed before the first byte leaves.
        with transaction.atomic(durable=True):
            lock_account(self.account.pk)
            order.refresh_from_db()
            if refusal(Question.SEND, State(order.status)):
                return
            if (stopped_by := kill_switch().stopped_by) and all(each.code != "kill_switch" for each in refused):
                refused.append(Refusal("kill_switch", f"The kill switch is on ({stopped_by}); place it anew later."))
            if refused:
                refuse(order, refused, at)
                return
            request = request_of(order)
            record(order, [Event(Kind.SEND, "send", "", at)])
        try:
            placed = self.venue.place(request)
        except (OutcomeUnknown, Unreadable) as error:
            logger.warning("order %s: %s", order.pk, error)
            record(order, [_no_answer(self._clock())])
            self._read(lambda: self._look_up(order))
        except BrokerError as error:
            # All the others say that the broker did not take it in.
            record(order, [Event(Kind.REJECT, "reject", "", self._clock(), reason=str(error))])
        else:
            reach("after_answer")
            record(order, [answer_of(placed.order_id, self._clock())], plain(placed))

    # --- cancels and modifications ------------------------------------------------------------------------------------

    def _carry_out(self, order: Order, request: Event) -> None:
        """Ask the broker for what was asked of an order; only what surely did not reach it is tried again."""
        self._lock.check()
        number, at = order.broker_order_id or "", self._clock()
        try:
            if request.kind is Kind.CANCEL_ASKED:
                self.venue.cancel(number)
            else:
                self.venue.modify(number, request_of(order, request.quantity, request.price))
        except (Unavailable, NotAuthenticated) as error:
            logger.warning("order %s: %s", order.pk, error)
            return
        except (OutcomeUnknown, Unreadable) as error:
            logger.warning("order %s: %s", order.pk, error)
        except BrokerError as error:
            key = f"refused:{request.key}"
            record(order, [Event(REFUSED_BY[request.kind], key, "", max(at, request.at))], {"reason": str(error)})
        self._requests.note(order, request, at)


def _no_answer(at: datetime) -> Event:
    return Event(Kind.NO_ANSWER, "no_answer", "", at)
