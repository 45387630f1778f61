"""Where an account's orders go: the simulated venue of a paper account, or the broker of a live one.

No other module opens a venue for orders. The simulated venue's memory is the row of `paper_venues`: it is taken up
before each call and kept after it, in a transaction of its own, so that what the venue has done stays done, whatever
becomes of whoever called it.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final

from django.db import transaction

from brokers.connections import open_account
from brokers.prices import PriceSource
from brokers.protocol import IST, Broker, BrokerError, Refused
from brokers.registry import Behaviour, Lot, State, open_simulator
from portfolio.live.permissions import why_not_open
from portfolio.models import LedgerEntry, PaperVenue, TradingAccount
from portfolio.paper.prices import StoredBars
from portfolio.sending.bars_time import TimeOfBars

_ENTRY: Final = LedgerEntry.EntryKind
_BY_THE_VENUE: Final = (_ENTRY.FILL, _ENTRY.CHARGE, _ENTRY.DP_CHARGE, _ENTRY.CORRECTION)
"""Entries that follow from what the venue does, or set right what we made of it: it has them already."""


@contextmanager
def venue_of(
    account: TradingAccount,
    clock: Callable[[], datetime],
    prices: PriceSource | None = None,
    behaviour: Behaviour | None = None,
) -> Iterator[Broker]:
    """Open the venue of an account, for the thread that calls.

    Parameters
    ----------
    prices : the market of a paper account; the final bars that are stored where none is given
    behaviour : of a paper account's venue; with the charges of `charges_of` where none is given, at stored bars with
        the prices of a backtest

    Raises
    ------
    BrokerError
        A live account without a permission in force, or whose access does not open; before anything is sent.
    """
    # As it is stored: whether it is on paper is decided by no object that somebody has changed in the meantime.
    account = TradingAccount.objects.select_related("configuration").get(pk=account.pk)
    with closing(_live(account, clock) if account.is_live else _paper(account, clock, prices, behaviour)) as venue:
        yield venue


def venue_time(account: TradingAccount) -> datetime | None:
    """The moment (IST) at which a paper account's venue is; None where it was never used."""
    memory = PaperVenue.objects.filter(account=account).first()
    return None if memory is None else datetime.fromisoformat(memory.snapshot["state"]["now"]).astimezone(IST)


def _live(account: TradingAccount, clock: Callable[[], datetime]) -> Broker:
    if account.configuration is None or (sentence := why_not_open(account, clock())):
        raise Refused(sentence or f"{account.name} has no access to a broker.", sent=False)
    return open_account(account.configuration, clock)


def _paper(
    account: TradingAccount,
    clock: Callable[[], datetime],
    prices: PriceSource | None,
    behaviour: Behaviour | None,
) -> Broker:
    _make_memory(account, clock())
    time_of_venue = None
    if prices is None:
        bars = StoredBars()
        prices, behaviour = bars, behaviour or bars.behaviour(account.charges_of)
        clock = time_of_venue = TimeOfBars(bars.known(clock))
    return open_simulator(
        clock,
        prices,
        state=State.restored(PaperVenue.objects.get(account=account).snapshot["state"]),
        behaviour=behaviour or Behaviour(seed=account.pk, tariff=account.charges_of),
        around=partial(_kept, account, clock, time_of_venue),
    )


def _make_memory(account: TradingAccount, now: datetime) -> None:
    with transaction.atomic(durable=True):
        empty = {"state": State(now, Decimal(0)).snapshot(), "entered": 0}
        PaperVenue.objects.get_or_create(account=account, defaults={"snapshot": empty})


@contextmanager
def _kept(
    account: TradingAccount, clock: Callable[[], datetime], bars: TimeOfBars | None, venue: Any, name: str
) -> Iterator[None]:
    """Take the venue's memory up, and keep what a call made of it, also of one that fails."""
    failure: BrokerError | None = None
    with transaction.atomic(durable=True):
        row = PaperVenue.objects.select_for_update(no_key=True).get(account=account)
        venue.state = State.restored(row.snapshot["state"])
        if bars is not None:
            bars.prepare(venue.state, name)
        now = max(clock(), venue.state.now)  # it may have been further than the bars are
        entered = _take_transfers(account, venue.state, row.snapshot["entered"], now)
        try:
            yield
        except BrokerError as error:
            failure = error
        row.snapshot = {"state": venue.state.snapshot(), "entered": entered}
        row.save()
    if failure is not None:
        raise failure


def _take_transfers(account: TradingAccount, state: State, entered: int, now: datetime) -> int:
    """Let the venue have what came to the account from elsewhere; returns the ledger's last entry that it has.

    Entries of an account are written under its lock, so that none with a lower number appears later.
    """
    today = now.astimezone(IST).date()
    entries = LedgerEntry.objects.filter(account=account, pk__gt=entered).order_by("pk")
    for entry in entries:
        if entry.day > today:
            break
        entered = entry.pk
        if entry.kind in _BY_THE_VENUE:
            continue
        lot = None
        if entry.quantity > 0:
            price, sellable = entry.price or Decimal(0), entry.credited_on or entry.day
            lot = Lot(entry.isin, entry.quantity, price, entry.day, sellable)
        state.transfer(entry.amount, entry.symbol, lot, max(0, -entry.quantity))
    return entered
