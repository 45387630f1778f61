"""A market of a few rows on which an order passes all checks: on Monday 2026-02-02 at 10:00 in IST."""

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final

from brokers.charges import Side
from brokers.protocol import OrderType
from market_data.models import DailyBar, MarketDay
from portfolio.models import LedgerEntry, TradingAccount
from portfolio.orders.book import Wish
from portfolio.orders.evidence import Draft
from stocks.models import Stock
from tests.accounts import DAY, IST

FRIDAY: Final = date(2026, 1, 30)
AT: Final = datetime(2026, 2, 2, 10, 0, tzinfo=IST)
SESSIONS: Final = (date(2026, 1, 29), FRIDAY, DAY, date(2026, 2, 3), date(2026, 2, 4))


def a_market(**closes: float) -> None:
    """Five sessions, and shares that closed at a price on the Friday before; AAA at ₹100 where none is named."""
    for day in SESSIONS:
        hours = {"open": time(9, 15), "close": time(15, 30)}
        MarketDay.objects.get_or_create(
            date=day, defaults={"kind": "normal", "is_session": True, "source": "t"} | hours
        )
    for symbol, close in (closes or {"AAA": 100.0}).items():
        stock = Stock.objects.create(symbol=symbol, kind="share", series="EQ", sector="Power")
        a_bar(stock, FRIDAY, close)


def a_bar(stock: Stock, day: date, close: float) -> DailyBar:
    prices = {"open": close, "high": close, "low": close, "close": close}
    return DailyBar.objects.create(symbol=stock, date=day, series="EQ", source="t", volume=1000, **prices)


def deposit(account: TradingAccount, amount: int = 100_000, day: date = FRIDAY) -> LedgerEntry:
    return LedgerEntry.objects.create(
        account=account, day=day, kind="deposit", amount=Decimal(amount), reference=f"deposit {day} {amount}"
    )


def hold(account: TradingAccount, symbol: str, quantity: int, price: str = "90", **fields: Any) -> LedgerEntry:
    """Shares from before, in the ledger as an opening."""
    opened = {"day": SESSIONS[0], "kind": "opening", "reference": f"opening {symbol} {quantity}"} | fields
    return LedgerEntry.objects.create(account=account, symbol=symbol, quantity=quantity, price=Decimal(price), **opened)


def a_wish(symbol: str = "AAA", quantity: int = 10, purpose: str = "by_hand 1", **fields: Any) -> Wish:
    """To buy ten AAA at ₹100, limit; `fields` are those of the draft."""
    terms: dict[str, Any] = {"side": Side.BUY, "order_type": OrderType.LIMIT, "price": Decimal(100), "session": DAY}
    return Wish(Draft(account="1", symbol=symbol, quantity=quantity, **terms | fields), purpose)
