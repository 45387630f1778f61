"""A small market of its own, where no other prices are given: deterministic, and simulated in every figure; pure.

Prices swing around a fixed level, so that they are the same whenever and in whatever order they are asked for.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from brokers.prices import Bands, Listing, Price
from brokers.protocol import IST, DailyBar
from brokers.simulator.matching import to_tick

_LEVELS: Final = {
    "SBIN": "425.10",
    "RELIANCE": "2206.50",
    "INFY": "1480.00",
    "TCS": "3550.00",
    "HDFCBANK": "1610.00",
    "ICICIBANK": "1105.00",
    "ITC": "430.00",
    "LT": "3480.00",
    "TATASTEEL": "152.00",
    "BAJAJ-AUTO": "8900.00",
}
"""₹ around which a share's price swings: names of real shares, prices of none."""

_TICK: Final = Decimal("0.05")
_BAND: Final = Decimal("0.2")
_OF_THE_DAY, _OF_THE_PRICE = Decimal("0.04"), Decimal("0.01")
_OPEN: Final = datetime.combine(date.min, time(9, 15))
_STEP: Final = timedelta(minutes=5)
_STEPS: Final = 76  # 09:15 to 15:30
_MOST_SHARES: Final = 20_000
_DAY: Final = timedelta(days=1)


class SyntheticPrices:
    """Ten shares, a price every five minutes of each weekday; bands at 20 % of the day before's close."""

    def listings(self, day: date) -> Sequence[Listing]:
        return _LISTINGS

    def prices(self, symbol: str, after: datetime, until: datetime) -> Sequence[Price]:
        days = _weekdays(after.astimezone(IST).date(), until.astimezone(IST).date())
        return [price for day in days for price in _day(symbol, day) if after < price.at <= until]

    def bands(self, symbol: str, day: date) -> Bands | None:
        before = day - _DAY
        while not _is_session(before):
            before -= _DAY
        close = _day(symbol, before)[-1].price
        return Bands(to_tick(close * (1 - _BAND), _TICK, up=True), to_tick(close * (1 + _BAND), _TICK, up=False))

    def history(self, symbol: str, first: date, last: date) -> Sequence[DailyBar]:
        return [_bar(day, _day(symbol, day)) for day in _weekdays(first, last)]

    def next_session(self, day: date) -> date:
        day += _DAY
        while not _is_session(day):
            day += _DAY
        return day


_LISTINGS: Final = tuple(
    Listing(symbol, "EQ", _TICK, f"SIM{number:09}", f"{symbol} (simulated)") for number, symbol in enumerate(_LEVELS)
)


def _is_session(day: date) -> bool:
    return day.weekday() < 5


def _weekdays(first: date, last: date) -> Iterator[date]:
    while first <= last:
        if _is_session(first):
            yield first
        first += _DAY


@lru_cache(maxsize=4096)
def _day(symbol: str, day: date) -> tuple[Price, ...]:
    level = Decimal(_LEVELS[symbol]) * (1 + _swing(symbol, day) * _OF_THE_DAY)
    prices = []
    for step in range(_STEPS):
        exact = level * (1 + _swing(symbol, day, step) * _OF_THE_PRICE)
        price = (exact / _TICK).to_integral_value(ROUND_HALF_UP) * _TICK
        at = datetime.combine(day, (_OPEN + step * _STEP).time(), IST)
        volume = int((_swing(symbol, day, step, "volume") + 1) * _MOST_SHARES / 2)
        prices.append(Price(at, price, volume))
    return tuple(prices)


def _swing(*key: object) -> Decimal:
    """A number from -1 to 1 that depends on the key alone."""
    digest = blake2b("|".join(str(part) for part in key).encode(), digest_size=4).digest()
    return Decimal(int.from_bytes(digest)) / 2**31 - 1


def _bar(day: date, prices: Sequence[Price]) -> DailyBar:
    amounts = [price.price for price in prices]
    return DailyBar(day, amounts[0], max(amounts), min(amounts), amounts[-1], sum(price.volume for price in prices))
