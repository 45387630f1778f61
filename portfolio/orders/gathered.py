"""The evidence of an order, gathered from the tables as they are at a moment.

Point in time: of prices, limits, findings and renames what was known by that moment, of today's session only what was
stored with a time before it. A fact that no row says is None; `portfolio.orders.risk` says what follows.
"""

from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from market_data import trading_calendar
from market_data.calendar_sources import CalendarError
from market_data.models import DailyBar, TradingLimits
from market_data.phase_records import phase_rules, session_day
from market_data.quality.blocking import excluded_symbols
from market_data.trading_phases import IST, SessionDay
from portfolio.models import Order, Strategy, TradingAccount
from portfolio.orders.evidence import Draft, Evidence, Share
from portfolio.orders.kill_switch import kill_switch
from portfolio.orders.limits import limits_of
from portfolio.orders.standing import standing_of
from portfolio.orders.worth import quoted_price
from portfolio.trading.bars import exact
from stocks.models import Stock, SymbolChange

_NO_BAND: Final = "no band"
"""The exchange's word for shares with derivatives."""

_IS_SUSPENDED: Final[Mapping[str, bool]] = {"0": True, "1": False}
"""Fyers' word for whether a share is traded."""


def evidence_for(
    account: TradingAccount,
    draft: Draft,
    at: datetime,
    *,
    own: Order | None = None,
    strategy: Strategy | None = None,
    prices: Mapping[str, Decimal] | None = None,
    kept_out: Collection[str] | None = None,
) -> Evidence:
    """Return all that is known of an order that would be sent at a moment, from tables alone.

    Parameters
    ----------
    own : the order itself, where it is recorded already: it is no duplicate of its own and blocks no money
    strategy : whose order it is; None: by hand
    prices : newest prices of the session, ₹ a share, where the caller knows newer ones than the tables
    kept_out : the shares in quarantine that day, where the caller has read them
    """
    latest = latest_session_before(at)
    share = share_facts(draft.symbol, at, latest, (prices or {}).get(draft.symbol), kept_out)
    limits = limits_of(account)
    return Evidence(
        at=at,
        day=_day(at),
        share=share,
        standing=standing_of(account, draft, share, limits, at, own=own, strategy=strategy, prices=prices),
        latest_session=latest,
        stopped_by=kill_switch().stopped_by,
        limits=limits,
        phases=phase_rules(),
    )


def latest_session_before(at: datetime) -> date | None:
    """The last session before the day of a moment: the evening after loads today's. None beyond the calendar."""
    try:
        return trading_calendar.session_on_or_before(at.astimezone(IST).date() - timedelta(days=1))
    except CalendarError:
        return None


def share_facts(
    symbol: str,
    at: datetime,
    latest: date | None,
    price: Decimal | None = None,
    kept_out: Collection[str] | None = None,
) -> Share:
    """What is known of a share at a moment; `latest` is the last completed session, `price` a newer one in ₹."""
    today = at.astimezone(IST).date()
    stock = Stock.objects.filter(symbol=symbol).first()
    if stock is None:
        return Share(renamed_to=_renamed_to(symbol, today))
    limits = TradingLimits.objects.filter(symbol=symbol, date__lte=today).order_by("-date").first()
    of_today = limits if limits is not None and limits.date == today else None
    last_price, prices_of = (price, today) if price is not None else _newest_price(symbol, at)
    band = (limits.band or "").strip().casefold() if limits is not None else ""
    return Share(
        series=stock.series or None,
        kind=stock.kind,
        suspended=_IS_SUSPENDED.get(limits.trade_status or "") if limits is not None else None,
        quarantined=None if latest is None else symbol in (excluded_symbols(latest) if kept_out is None else kept_out),
        has_derivatives=(band == _NO_BAND) if band else None,
        freeze_quantity=limits.freeze_quantity if limits is not None else None,
        month_close=_month_close(symbol, today),
        lower_band=_exact(of_today.lower_band) if of_today is not None else None,
        upper_band=_exact(of_today.upper_band) if of_today is not None else None,
        last_price=last_price,
        prices_of=prices_of,
        sector=stock.sector or None,
    )


def _day(at: datetime) -> SessionDay | None:
    try:
        return session_day(at)
    except CalendarError:
        return None


def _renamed_to(symbol: str, today: date) -> str | None:
    """Whose history took over that of a symbol that has none any more."""
    name, since = symbol, date.min
    while change := SymbolChange.objects.filter(from_symbol=name, date__gt=since, date__lte=today).first():
        name, since = change.to_symbol, change.date
    return name if name != symbol else None


def _newest_price(symbol: str, at: datetime) -> tuple[Decimal | None, date | None]:
    """The newest quote of today, else the close of the last bar before it, with its day."""
    today = at.astimezone(IST).date()
    quoted = quoted_price(symbol, at)
    if quoted is not None:
        return quoted, today
    bar = DailyBar.objects.filter(symbol__symbol=symbol, date__lt=today).order_by("-date").first()
    return (None, None) if bar is None else (_exact(bar.close), bar.date)


def _month_close(symbol: str, today: date) -> Decimal | None:
    bar = DailyBar.objects.filter(symbol__symbol=symbol, date__lt=today.replace(day=1)).order_by("-date").first()
    return None if bar is None else _exact(bar.close)


def _exact(value: float | None) -> Decimal | None:
    return None if value is None else exact(value)
