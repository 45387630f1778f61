"""Fyers' `NSE_CM_sym_master.json`: price bands, surveillance, trade status and freeze quantity of each instrument.

An object by ticker. `lastUpdate` is the day that its figures are of. What is empty or zero is not known, never "none".
"""

import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from brokers.answers import FieldError, price
from brokers.protocol import SERIES

_MOST: Final = 100_000


@dataclass(frozen=True)
class TradingLimits:
    """What a share may do on a day: ₹, shares, and the vendor's own words for surveillance and status."""

    symbol: str
    day: date
    lower_band: Decimal | None
    upper_band: Decimal | None
    surveillance: str | None
    trade_status: str | None
    freeze_quantity: int | None


def trading_limits(content: bytes) -> tuple[TradingLimits, ...]:
    """Parse the file; raises FieldError. Instruments of other series, and rows without a day, are left out."""
    try:
        answer = json.loads(content, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise FieldError("it is no JSON") from None
    if not isinstance(answer, dict) or not all(isinstance(row, dict) for row in answer.values()):
        raise FieldError("it is no object of objects")
    if len(answer) > _MOST:
        raise FieldError(f"it has more than {_MOST:,} instruments")
    shares = [row for row in answer.values() if row.get("exSeries") in SERIES]
    if not shares or not all(isinstance(row.get("exSymbol"), str) for row in shares):
        raise FieldError("it has no share, or one without its symbol")
    return tuple(_limits(row, day) for row in shares if (day := _day(row.get("lastUpdate"))) is not None)


def _limits(row: dict[str, Any], day: date) -> TradingLimits:
    return TradingLimits(
        symbol=row["exSymbol"],
        day=day,
        lower_band=price(row, "lowerPrice"),
        upper_band=price(row, "upperPrice"),
        surveillance=_words(row.get("asmGsmVal")),
        trade_status=_words(row.get("tradeStatus")),
        freeze_quantity=_whole(row.get("qtyFreeze")),
    )


def _day(text: object) -> date | None:
    try:
        return date.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _words(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip()[:100] or None


def _whole(value: object) -> int | None:
    text = _words(value) or ""
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 13 else 0
    return number or None
