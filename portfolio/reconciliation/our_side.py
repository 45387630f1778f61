"""What this system knows of an account when it is reconciled, read from its tables."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Final

from django.db.models import Q, QuerySet, Sum

from brokers.charges import Fill, Kind, Product, Side, note_charges
from brokers.models import ImportedNote
from brokers.protocol import Order as BookRow
from brokers.protocol import Trade as TradeRow
from market_data import trading_calendar
from market_data.calendar_sources import CalendarError
from market_data.models import CorporateAction
from portfolio.accounts.charges import owed_charges, without_charges_of
from portfolio.accounts.readings import holdings_of
from portfolio.models import LedgerEntry, Order, Trade, TradingAccount
from portfolio.orders.events import FillId
from portfolio.orders.projection import SENT, State
from portfolio.reconciliation.comparison import NoteLine, OurFill, OurOrder, OurSide, day_of_row, fill_id_of
from portfolio.reconciliation.venue_figures import counts_the_day
from stocks.models import Stock

EVENT_SESSIONS: Final = 15
"""Within so many sessions a split or bonus may be booked by one side alone."""
_EVENTS_WITHIN: Final = timedelta(days=60)
_NOTES_OF: Final = timedelta(days=31)
_SHARES_CHANGE: Final = ("split", "bonus", "consolidation")
_OF_THE_START: Final = ("opening", "deposit", "withdrawal", "transfer", "correction")
_SETS_RIGHT: Final = "#"
"""In the reference of a correction of another entry, here of a fill or charge of the day."""
_PAISA: Final = Decimal("0.01")
_NOTHING: Final = Decimal(0)


def our_side(
    account: TradingAccount, day: date, at: datetime, rows: Sequence[BookRow] = (), trades: Sequence[TradeRow] = ()
) -> OurSide:
    """What the account has on a day, and whatever the broker's rows and trades may be of."""
    days = {day, *(fill_id_of(trade, day).day for trade in trades)}
    return OurSide(
        day=day,
        orders=our_orders(account, day, rows),
        fills=_fills(account, days),
        holdings=_holdings(account, day),
        cash=_cash(account, day, days),
        due=_due(account, day),
        note_lines=_note_lines(account, at),
    )


def our_orders(account: TradingAccount, day: date, rows: Sequence[BookRow] = ()) -> list[OurOrder]:
    """Orders of the day, those that were sent and have no known end, and those that rows of the book name."""
    days = {day, *(day_of_row(row, day) for row in rows)}
    tags = [row.tag for row in rows if row.tag]
    wanted = Q(session__in=days) | Q(status__in=SENT) | Q(tag__in=tags)
    return [
        OurOrder(
            key=str(order.pk),
            symbol=order.symbol,
            session=order.session,
            quantity=order.quantity,
            filled_quantity=order.filled_quantity,
            status=State(order.status),
            tag=order.tag or "",
            broker_order_id=order.broker_order_id or "",
            is_external=order.is_external,
        )
        for order in Order.objects.filter(wanted, account=account).order_by("pk")
    ]


def _fills(account: TradingAccount, days: Iterable[date]) -> list[OurFill]:
    trades = Trade.objects.filter(account=account, date__in=list(days)).select_related("order").order_by("pk")
    return [
        OurFill(
            FillId(trade.exchange, trade.date, trade.broker_trade_id),
            str(trade.order_id),
            trade.order.symbol,
            trade.quantity,
            trade.price,
        )
        for trade in trades
    ]


# --- shares and money -------------------------------------------------------------------------------------------------


def _holdings(account: TradingAccount, day: date) -> dict[str, int]:
    return {symbol: held.quantity for symbol, held in holdings_of(account, day).items()}


def _cash(account: TradingAccount, day: date, days: Iterable[date]) -> Decimal:
    """Cash as the account's broker counts it: with all fills and what those of its days cost, or of the day's start.

    `days` are those of which the broker lists trades: a simulated one may still be at its last session.
    """
    entries = LedgerEntry.objects.filter(account=account, day__lte=day)
    if counts_the_day(account.broker):
        owed = sum((owed_charges(account, each) for each in days), Decimal(0))
        for each in days:
            entries = without_charges_of(entries, each)
        return _sum(entries) - owed
    of_today = entries.filter(day=day, kind__in=_OF_THE_START).exclude(reference__contains=_SETS_RIGHT)
    return _sum(entries.filter(day__lt=day)) + _sum(of_today)


def _sum(entries: QuerySet[LedgerEntry]) -> Decimal:
    return entries.aggregate(total=Sum("amount"))["total"] or Decimal(0)


def _charged(trades: QuerySet[Trade], kinds: Mapping[str, str]) -> list[Fill]:
    return [
        Fill(
            str(trade.order_id),
            trade.order.symbol,
            Side(trade.order.side),
            trade.quantity,
            trade.price,
            Product(trade.order.product),
            Kind(kinds.get(trade.order.symbol, Kind.SHARE)),
        )
        for trade in trades.select_related("order").order_by("traded_at", "pk")
    ]


def _due(account: TradingAccount, day: date) -> dict[str, list[int]]:
    """Of each share held, how many shares came (went: negative) by each of its splits and bonuses of late."""
    try:
        sessions = trading_calendar.sessions_between(day - _EVENTS_WITHIN, day)[-EVENT_SESSIONS:]
    except CalendarError:
        # Beyond the calendar no session is guessed: what an event explains is shown as a difference of shares.
        return {}
    if not sessions:
        return {}
    held = LedgerEntry.objects.filter(account=account, day__lte=day).exclude(symbol="").values("symbol")
    actions = CorporateAction.objects.filter(
        symbol__in=held,
        ex_date__gte=sessions[0],
        ex_date__lte=day,
        known_on__lte=day,
        kind__in=_SHARES_CHANGE,
        factor__isnull=False,
    ).exclude(status=CorporateAction.Status.REJECTED)
    due: dict[str, list[int]] = defaultdict(list)
    for action in actions.order_by("ex_date", "pk"):
        before = _holdings(account, action.ex_date - timedelta(days=1)).get(action.symbol, 0)
        shares_for_one = 1 / Fraction(action.factor or 1).limit_denominator(10_000)
        due[action.symbol].append(floor(before * shares_for_one) - before)
    return dict(due)


def _note_lines(account: TradingAccount, at: datetime) -> list[NoteLine]:
    """Lines of the person's contract notes of late, beside what this account's fills of the session come to."""
    if not account.is_live:
        return []
    notes = ImportedNote.objects.filter(user=account.owner, broker=account.broker, imported_at__gte=at - _NOTES_OF)
    return [line for note in notes.order_by("pk") for line in _lines_of(account, note)]


def _lines_of(account: TradingAccount, note: ImportedNote) -> list[NoteLine]:
    kinds = {fill["symbol"]: fill["kind"] for fill in note.fills}
    fills = _charged(Trade.objects.filter(account=account, date=note.session), kinds)
    charges = note_charges(note.broker, note.session, fills) if fills else None
    return [
        NoteLine(
            note.number,
            name,
            Decimal(getattr(charges, name)).quantize(_PAISA) if charges else _NOTHING,
            Decimal(stated),
        )
        for name, stated in note.stated.items()
    ]


def symbols_of_isins(isins: Iterable[str]) -> dict[str, str]:
    """Our symbol of each ISIN that is known."""
    rows = Stock.objects.filter(isin__in=list(isins)).values_list("isin", "symbol")
    return {isin: symbol for isin, symbol in rows if isin}
