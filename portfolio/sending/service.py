"""An account's sender at work: turns until there is nothing to do, and the reconciliation at its times.

The process of all accounts starts one such process for each account with work, and none for the others.
"""

import logging
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final

from django.db import transaction
from django.db.models import Q, QuerySet

from brokers.protocol import IST, Broker, BrokerError
from market_data import trading_calendar
from market_data.calendar_sources import CalendarError
from portfolio.live.permissions import permissions_in_force, why_not_open
from portfolio.models import Order, TradedStrategy, TradingAccount
from portfolio.orders.book import lock_account
from portfolio.orders.desk import refuse
from portfolio.orders.projection import UNFINISHED, State
from portfolio.reconciliation.account import reconcile
from portfolio.reconciliation.moments import moment_of
from portfolio.sending.checks import checked_again
from portfolio.sending.sender import Sender
from portfolio.sending.venues import venue_of
from portfolio.trading.hours import BOOKS_CLOSE, BOOKS_OPEN

RECONCILED_UNTIL: Final = time(16, 5)
"""Each minute from the opening of the books on; and once more when they close."""
_DAY_ENDS: Final = time(16, 15)
_EVERY: Final = timedelta(minutes=1)
_PAUSE_SECONDS, _PAUSE_AT_NIGHT_SECONDS = 1.0, 5.0

logger = logging.getLogger(__name__)


def accounts_with_work(at: datetime) -> list[TradingAccount]:
    """The accounts whose sender has something to do at a moment.

    These have orders that are to be sent or may still be filled; in the hours of a session also those with orders of
    that session, and live ones that may trade: their owner may trade by hand.
    """
    local = at.astimezone(IST)
    waiting = Q(orders__status__in=UNFINISHED)
    if not _in_hours(local):
        return list(_accounts().filter(waiting))
    accounts = list(_accounts().filter(waiting | Q(orders__session=local.date())))
    live = _accounts().filter(kind=TradingAccount.AccountKind.LIVE, is_active=True)
    others = [account for account in live if account not in accounts and permissions_in_force(account, at)]
    return [*accounts, *others]


def _accounts() -> QuerySet[TradingAccount]:
    """All but replays and the paper accounts that trade a strategy.

    Their orders are sent in the evening, by the session's own clock (`portfolio.paper.evening`): until then their venue
    must not go past the opening.
    """
    of_strategies = TradedStrategy.objects.filter(is_active=True, account__kind=TradingAccount.AccountKind.PAPER)
    accounts = TradingAccount.objects.filter(is_replay=False).exclude(pk__in=of_strategies.values("account"))
    return accounts.distinct().order_by("pk")


def _in_hours(local: datetime) -> bool:
    """Whether the books of a session are read at a moment (IST)."""
    return BOOKS_OPEN <= local.time() < _DAY_ENDS and _is_session(local.date(), local.hour)


@lru_cache(maxsize=4)
def _is_session(day: date, hour: int) -> bool:  # each second; a calendar that is imported holds from the next hour on
    try:
        return trading_calendar.session_on_or_before(day) == day
    except CalendarError:
        return True  # to read a book too often does no harm


class Reconciliations:
    """When an account is reconciled: at the start, each minute from 09:00 to 16:05, and at 16:10 (IST)."""

    def __init__(self) -> None:
        self._last: datetime | None = None

    def is_due(self, at: datetime) -> bool:
        last, local = self._last, at.astimezone(IST)
        if last is None:
            return True
        if BOOKS_OPEN <= local.time() <= RECONCILED_UNTIL:
            return abs(at - last) >= _EVERY
        closed = datetime.combine(local.date(), BOOKS_CLOSE, IST)
        return last < closed <= local

    def note(self, at: datetime) -> None:
        self._last = at


def serve(
    account: TradingAccount, clock: Callable[[], datetime], wait: Callable[[float], bool], *, once: bool = False
) -> None:
    """Be an account's sender until it has no work, or `wait` (seconds) says that it is to stop.

    Raises
    ------
    AnotherSender
        Somebody else is the account's sender.
    BrokerError
        Its broker cannot be opened, or wants a new log-in: queued orders wait.
    """
    if account.is_live and why_not_open(account, clock()):
        _refuse_queued(account, clock())
    reconciliations = Reconciliations()
    with venue_of(account, clock) as venue, Sender(account, venue, clock) as sender:
        while True:
            sender.step()
            if sender.trouble is not None and sender.wants_log_in:
                raise sender.trouble
            if reconciliations.is_due(clock()):
                _reconcile(account, venue, moment_of(account, clock()))
                reconciliations.note(clock())
            if once or not _has_work(account, clock()):
                return
            if wait(_PAUSE_SECONDS if _in_hours(clock().astimezone(IST)) else _PAUSE_AT_NIGHT_SECONDS):
                return


def _refuse_queued(account: TradingAccount, at: datetime) -> None:
    """Refuse what waits in a live account that may not trade: a permission that is given later is not for it."""
    for order in Order.objects.filter(account=account, status=State.QUEUED.value).order_by("pk"):
        with transaction.atomic():
            lock_account(account.pk)
            order.refresh_from_db()
            if order.status == State.QUEUED and (refused := checked_again(order, at)):
                refuse(order, refused, at)


def _has_work(account: TradingAccount, at: datetime) -> bool:
    return any(other.pk == account.pk for other in accounts_with_work(at))


def _reconcile(account: TradingAccount, venue: Broker, at: datetime) -> None:
    try:
        reconcile(account, venue, at)
    except BrokerError as error:
        logger.warning("account %s was not reconciled: %s", account.pk, error)
