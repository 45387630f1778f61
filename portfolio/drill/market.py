"""The drill's market: ten simulated shares on one day, and accounts with money and shares."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from brokers.protocol import IST
from brokers.registry import SyntheticPrices
from market_data import trading_calendar
from market_data.models import DailyBar
from portfolio.models import LedgerEntry, TradingAccount, User
from stocks.models import Stock

DAY: Final = date(2026, 2, 2)
OPENED: Final = datetime.combine(DAY, time(10, 1), IST)
PRICES: Final = SyntheticPrices()
SYMBOLS: Final = tuple(listing.symbol for listing in PRICES.listings(DAY))
_CASH, _HELD = Decimal(5_000_000), 500


def write_market() -> None:
    """Write the shares and their last bars into an empty database, so that the checks let orders pass."""
    before = trading_calendar.session_on_or_before(DAY - timedelta(days=1))
    for listing in PRICES.listings(DAY):
        stock = Stock.objects.create(symbol=listing.symbol, kind="share", series=listing.series)
        close = float(last_close(listing.symbol))
        prices = dict.fromkeys(("open", "high", "low", "close"), close)
        DailyBar.objects.create(symbol=stock, date=before, series="EQ", source="drill", volume=1000, **prices)
    User.objects.create_user("drill")


def last_close(symbol: str) -> Decimal:
    """₹ at which a share closed before the day, whole, so that any tick divides it."""
    bars = PRICES.history(symbol, DAY - timedelta(days=10), DAY - timedelta(days=1))
    return bars[-1].close.quantize(Decimal(1))


def new_account(name: str) -> TradingAccount:
    """A paper account with money, and some of each share."""
    account = TradingAccount.objects.create(
        owner=User.objects.get(username="drill"), name=name, kind="paper", broker="simulator", charges_of="zerodha"
    )
    opened = DAY - timedelta(days=7)
    entries = [
        LedgerEntry(
            account=account,
            day=opened,
            kind="opening",
            symbol=listing.symbol,
            isin=listing.isin,
            quantity=_HELD,
            price=last_close(listing.symbol),
            reference=f"opening {listing.symbol}",
        )
        for listing in PRICES.listings(DAY)
    ]
    cash = LedgerEntry(account=account, day=opened, kind="deposit", amount=_CASH, reference="deposit")
    LedgerEntry.objects.bulk_create([cash, *entries])
    return account
