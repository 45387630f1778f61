"""A session's bars made of the quotes asked for after its close: provisional, until the exchange's file replaces them.

The last price stands for the close, which the exchange computes from the last half hour's trades.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd

from brokers.protocol import Quote
from market_data.prices.bars import BAR_DTYPES, PROVISIONAL, empty_rejects, rejects_of
from market_data.providers import QUOTE_COLUMNS, RawBars, RawQuotes
from market_data.providers.quoted.days import QuotedDay

_PRICES: Final = {
    "open": "open",
    "high": "high",
    "low": "low",
    "close": "last_price",
    "prev_close": "previous_close",
    "last_price": "last_price",
}


@dataclass(frozen=True)
class Sorted:
    """The rows of a day by what they are; only `traded` ones make bars."""

    traded: list[dict[str, Any]] = field(default_factory=list)
    other_day: list[str] = field(default_factory=list)
    untraded: list[str] = field(default_factory=list)


def sorted_rows(quoted: QuotedDay) -> Sorted:
    """Tell the quotes of the day itself from those of another one, and from shares that did not trade on it."""
    result = Sorted()
    for row in quoted.rows:
        if row["day"] != quoted.day.isoformat():
            result.other_day.append(row["symbol"])
        elif not row["volume"]:
            result.untraded.append(row["symbol"])
        else:
            result.traded.append(row)
    return result


def bars_of(quoted: QuotedDay, source: str) -> RawBars:
    """Return the bars of a day; a price that is none leaves a gap, for which the checks set the row aside."""
    rows = pd.DataFrame.from_records(sorted_rows(quoted).traded)
    columns: dict[str, Any] = dict.fromkeys(BAR_DTYPES)
    if len(rows):
        columns |= {name: pd.to_numeric(rows[ours], errors="coerce") for name, ours in _PRICES.items()}
        columns |= {name: rows[name] for name in ("symbol", "series", "isin", "volume")}
    frame = pd.DataFrame(columns, index=rows.index).assign(date=pd.Timestamp(quoted.day), vwap=np.nan)
    frame = frame.assign(turnover_lakh=np.nan).astype(BAR_DTYPES).sort_values("symbol", ignore_index=True)
    return RawBars(frame, empty_rejects(), source, status=PROVISIONAL)


def live_quotes(quotes: Sequence[Quote], missing: Sequence[str], today: date, source: str) -> RawQuotes:
    """Return the quotes of a running session; those of another day, or of no trade today, are counted and left out."""
    of_today = [quote for quote in quotes if quote.day == today and quote.at is not None]
    traded = [quote for quote in of_today if quote.volume]
    priced = [quote for quote in traded if quote.last_price is not None]
    frame = pd.DataFrame(
        [(quote.symbol, quote.at, float(quote.last_price or 0), quote.volume, source) for quote in priced],
        columns=list(QUOTE_COLUMNS),
    )
    bad = pd.DataFrame(
        [(quote.symbol, today, quote.volume) for quote in traded if quote.last_price is None],
        columns=["symbol", "date", "volume"],
    )
    rejects = rejects_of(bad, "last price is zero, negative or missing").assign(source=source)
    return RawQuotes(
        frame, rejects, tuple(missing), other_day=len(quotes) - len(of_today), untraded=len(of_today) - len(traded)
    )
