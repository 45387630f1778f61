"""Posts what splits, bonuses and consolidations do to the shares of an account, each once, at its ex-date.

A **live** account follows the exchange's list alone, and is paid for the fraction of a share when the company pays:
that entry is made by hand. A **paper** account follows the adjusted prices, as a backtest does, to the paisa: inferred
events count, a demerger whose ratio the opening showed counts as if what was split off were put back, and the fraction
is paid at the opening. What cannot be turned into an entry is left and said.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from operator import attrgetter
from typing import Final, NamedTuple

import pandas as pd
from django.db import transaction

from brokers.protocol import IST
from market_data import trading_calendar
from market_data.models import CorporateAction, DailyBar
from market_data.prices.adjustments import effective_events
from market_data.prices.events import EVENT_COLUMNS, FACTOR_KINDS, typed_events
from portfolio.accounts.entries import Draft, Kind, enter
from portfolio.accounts.imports import FROM_FILE
from portfolio.accounts.locking import lock_account
from portfolio.accounts.readings import posting_of
from portfolio.ledger.postings import ACTIONS, FRACTION_PAID, before_trades
from portfolio.models import LedgerEntry, TradingAccount
from portfolio.trading.account import whole_after_factor
from portfolio.trading.bars import FACTOR_TOLERANCE, exact
from stocks.universe.symbols import follow_renames, owners

CREDITED_IN_TWO_SESSIONS_SINCE: Final = date(2024, 10, 1)
"""Bonus shares can be sold two sessions after the record date, which is the ex-date since shares settle in a day."""

_CREDITED_BEFORE: Final = timedelta(days=14)
_SAID_FOR: Final = timedelta(days=7)
_BAR_BEFORE: Final = timedelta(days=60)
_LARGEST_TERM: Final = 10_000
_NEAR: Final = Fraction(1, 10**9)


class Left(NamedTuple):
    """An event of a share held that made no entry, and why."""

    symbol: str
    ex_date: date
    kind: str
    sentence: str


class _Action(NamedTuple):
    """Shares after it for every share before; None where the factor is no simple ratio."""

    kind: Kind
    ratio: Fraction | None


class _Prices(NamedTuple):
    """The factors on a bar and on the bar before it, and the opening in ₹."""

    new: Decimal
    old: Decimal
    opening: Decimal


@dataclass(frozen=True)
class _Change:
    """What happens to a share, by its symbol of today, on a day."""

    day: date
    symbol: str
    actions: tuple[_Action, ...]
    prices: _Prices | None = None


def post_corporate_actions(account: TradingAccount, day: date) -> list[Left]:
    """Enter the events of an account's shares up to a day that are not in its ledger yet; return what is left.

    It is called before the day's trades. What falls on a day is of the shares that were held before its trades. Shares
    of a ledger file follow the events after its import: what came before is for the file to say.

    Notes
    -----
    Point in time: the list is used as it was known on the day, and bars up to the day. A paper account knows its
    adjusted prices as they are stored now, as a backtest does.
    """
    with transaction.atomic():
        lock_account(account.pk)
        rows = _share_rows(account, day)
        if not rows:
            return []
        events = _events(rows, day, day if account.is_live else date.max)
        changes = _changes_of_list(events) if account.is_live else _changes_of_bars(rows, events, day)
        for change in changes:
            _post(account, change)
        return _left(account, _share_rows(account, day), day)


def credit_day(ex_date: date) -> date:
    """The session from which bonus shares can be sold; raises CalendarExhausted."""
    if ex_date >= CREDITED_IN_TWO_SESSIONS_SINCE:
        return trading_calendar.next_session(trading_calendar.next_session(ex_date))
    return trading_calendar.next_session(ex_date + _CREDITED_BEFORE - timedelta(days=1))


def _share_rows(account: TradingAccount, day: date) -> list[LedgerEntry]:
    return list(LedgerEntry.objects.filter(account=account, day__lte=day).exclude(symbol=""))


class _Event(NamedTuple):
    """An event in force, under the symbol of today."""

    symbol: str
    ex_date: date
    kind: str
    factor: float
    is_official: bool


def _events(rows: Sequence[LedgerEntry], day: date, known_by: date) -> list[_Event]:
    """The events of the shares in force, by what was known on a day, splits before bonuses."""
    owner = owners(date.max)
    names = {row.symbol for row in rows} | {owner(row.symbol, row.day) for row in rows}
    stored = CorporateAction.objects.filter(
        symbol__in=names, ex_date__range=(min(row.day for row in rows), day), known_on__lte=known_by
    ).exclude(factor=None)
    frame = pd.DataFrame(list(stored.values(*EVENT_COLUMNS)), columns=list(EVENT_COLUMNS))
    for column in ("ex_date", "known_on"):
        frame[column] = pd.to_datetime(frame[column])
    events = typed_events(follow_renames(frame, date_column="ex_date"))
    in_force = effective_events(events, events["known_on"].max() if len(events) else day)
    return sorted(
        (
            _Event(str(event["symbol"]), event["ex_date"].date(), event["kind"], event["factor"], official)
            for event, official in zip(in_force.to_dict("records"), in_force["status"].eq("official"), strict=True)
        ),
        key=lambda event: (event.ex_date, event.symbol, event.kind == "bonus"),
    )


def _changes_of_list(events: Sequence[_Event]) -> list[_Change]:
    official = [event for event in events if event.is_official and event.kind in FACTOR_KINDS]
    return [
        _Change(day, symbol, _actions(of_day))
        for (day, symbol), of_day in groupby(official, key=attrgetter("ex_date", "symbol"))
    ]


def _changes_of_bars(rows: Sequence[LedgerEntry], events: Sequence[_Event], day: date) -> list[_Change]:
    """Where the factor of a share's bar differs from that of the bar before it, by day."""
    owner = owners(date.max)
    names = {owner(row.symbol, row.day) for row in rows}
    since = min(row.day for row in rows)
    before: dict[str, _Bar] = {}
    changes = []
    for bar in _bars(names, since - _BAR_BEFORE, day):
        last = before.get(bar.symbol, bar)
        before[bar.symbol] = bar
        if bar.day > since and (prices := _changed(last, bar)):
            between = (each for each in events if each.symbol == bar.symbol and last.day < each.ex_date <= bar.day)
            changes.append(_Change(bar.day, bar.symbol, _actions(between), prices))
    return changes


class _Bar(NamedTuple):
    symbol: str
    day: date
    open: float
    close: float
    adj_close: float


def _bars(names: Iterable[str], first: date, last: date) -> list[_Bar]:
    """The bars that a backtest knows of shares, by day."""
    bars = DailyBar.objects.filter(
        symbol__symbol__in=list(names), date__range=(first, last), status=DailyBar.Status.FINAL
    ).filter(open__gt=0, high__gt=0, low__gt=0, close__gt=0, adj_close__gt=0)
    rows = bars.order_by("date").values_list("symbol__symbol", "date", "open", "close", "adj_close")
    return [_Bar(name, day, opening or 0, close or 0, adjusted or 0) for name, day, opening, close, adjusted in rows]


def _changed(last: _Bar, bar: _Bar) -> _Prices | None:
    """The factors of two bars of a share, where they show an event between them."""
    if abs(bar.adj_close / bar.close - last.adj_close / last.close) <= float(FACTOR_TOLERANCE) / 2:
        return None  # as a panel: the exact figures decide the rest
    new, old = (exact(each.adj_close) / exact(each.close) for each in (bar, last))
    return _Prices(new, old, exact(bar.open)) if abs(new - old) > FACTOR_TOLERANCE else None


def _actions(events: Iterable[_Event]) -> tuple[_Action, ...]:
    actions = []
    for event in events:
        simple = Fraction(event.factor).limit_denominator(_LARGEST_TERM)
        is_simple = event.kind in FACTOR_KINDS and simple > 0 and abs(simple - Fraction(event.factor)) < _NEAR
        kind = Kind.BONUS if event.kind == "bonus" else Kind.SPLIT if event.kind in FACTOR_KINDS else Kind.DEMERGER
        actions.append(_Action(kind, 1 / simple if is_simple else None))
    return tuple(actions)


def _post(account: TradingAccount, change: _Change) -> None:
    """Enter a change of the shares held before its day's trades, unless it stands in the ledger."""
    owner = owners(change.day)
    rows = _share_rows(account, change.day)
    today = owners(date.max)
    mine = [row for row in rows if today(row.symbol, row.day) == change.symbol]
    held = sum(each.quantity for each in before_trades((posting_of(row, "") for row in mine), change.day))
    if held <= 0:
        return
    symbol = next(owner(row.symbol, row.day) for row in mine)
    reference = f"{change.day}:{symbol}"
    kinds = ACTIONS if account.is_live else (*ACTIONS, FRACTION_PAID)
    if any(row.day == change.day and row.kind in kinds for row in mine) or change.day <= _imported_on(mine):
        return
    drafts = _drafts(change, symbol, reference, held)
    if account.is_replay:  # a backtest sells a bonus at once
        drafts = [replace(draft, credited_on=draft.credited_on and change.day) for draft in drafts]
    enter(account, drafts)


def _imported_on(rows: Iterable[LedgerEntry]) -> date:
    """The last day on which a file said what is held of a share, splits and bonuses until then among it."""
    days = (row.recorded_at.astimezone(IST).date() for row in rows if row.reference.startswith(FROM_FILE))
    return max(days, default=date.min)


def _drafts(change: _Change, symbol: str, reference: str, held: int) -> list[Draft]:
    drafts, shares = [], held
    is_plain = len({action.kind for action in change.actions}) == len(change.actions) > 0
    for action in change.actions if is_plain else ():
        ratio = action.ratio
        if ratio is None:
            is_plain = False
            break
        after = int(shares * ratio)
        given = ratio - 1 if action.kind is Kind.BONUS else ratio
        drafts.append(_draft(change, action.kind, symbol, reference, after - shares, given))
        shares = after
    if change.prices is not None:
        target, paid = whole_after_factor(Decimal(held), *change.prices)
        if not is_plain or shares != target:
            kind = Kind.DEMERGER if any(each.kind is Kind.DEMERGER for each in change.actions) else Kind.SPLIT
            drafts = [_draft(change, kind, symbol, reference, int(target) - held, None)]
        if paid:
            drafts.append(Draft(change.day, Kind.FRACTION_PAID, reference, symbol, amount=paid))
    elif not is_plain:
        return []
    return [draft for draft in drafts if draft.quantity or draft.amount]


def _draft(change: _Change, kind: Kind, symbol: str, reference: str, quantity: int, ratio: Fraction | None) -> Draft:
    return Draft(
        *(change.day, kind, reference, symbol, quantity),
        ratio_new=Decimal(ratio.numerator) if ratio else None,
        ratio_old=Decimal(ratio.denominator) if ratio else None,
        credited_on=credit_day(change.day) if kind is Kind.BONUS else None,
    )


def _left(account: TradingAccount, rows: Sequence[LedgerEntry], day: date) -> list[Left]:
    """The events of the last days of shares held then that made no entry."""
    owner = owners(date.max)
    by_share: Mapping[str, list[LedgerEntry]] = _by_share(rows)
    names = {row.symbol for row in rows} | set(by_share)
    events = CorporateAction.objects.filter(
        symbol__in=names, ex_date__gt=day - _SAID_FOR, ex_date__lte=day, known_on__lte=day
    ).exclude(status=CorporateAction.Status.REJECTED)
    left = []
    for event in events.order_by("ex_date", "symbol", "kind"):
        mine = by_share.get(owner(event.symbol, event.ex_date), [])
        held = sum(each.quantity for each in before_trades((posting_of(row, "") for row in mine), event.ex_date))
        entered = [row for row in mine if row.kind in (*ACTIONS, FRACTION_PAID) and row.day >= event.ex_date]
        if held > 0 and not (event.factor and entered) and event.ex_date > _imported_on(mine):
            left.append(Left(event.symbol, event.ex_date, event.kind, _sentence(account, event, held)))
    return left


def _by_share(rows: Iterable[LedgerEntry]) -> dict[str, list[LedgerEntry]]:
    owner = owners(date.max)
    by_share: dict[str, list[LedgerEntry]] = defaultdict(list)
    for row in rows:
        by_share[owner(row.symbol, row.day)].append(row)
    return by_share


def _sentence(account: TradingAccount, event: CorporateAction, held: int) -> str:
    what = f"{event.kind} of {event.symbol} on {event.ex_date} ({event.purpose or event.source}), {held} held"
    if not account.is_live:
        return f"{what}: not booked, as in a backtest."
    if event.kind == "dividend":
        return f"{what}: it is paid to the bank account; enter what is paid into this one."
    if event.status != CorporateAction.Status.OFFICIAL:
        return f"{what}: it is inferred, and the exchange's list does not name it; enter what the broker shows."
    if (event.evidence or {}).get("agrees") is False:
        return f"{what}: the price denies it; enter it when the broker shows it."
    return f"{what}: its ratio is not known; enter what the broker shows."
