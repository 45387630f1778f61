"""A broker's loopback venue that quotes a simulated market, beside the exchange's files of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pandas as pd

from brokers.http import AnswerLimits
from brokers.masters import MASTER_FILE
from brokers.protocol import IST, Broker
from brokers.registry import Access, Transport, open_broker
from market_data.providers import Provider
from market_data.providers.fyers import FyersFeed
from market_data.providers.quoted.days import QuotedDays
from market_data.providers.quoted.feed import BrokerFeed
from market_data.providers.quoted.no_archive import NoArchive
from market_data.providers.zerodha import ZerodhaFeed
from tests.brokers import fyers_venue, kite_venue
from tests.brokers.accounts import VENUES
from tests.brokers.venue import Answer, Request, Venue, json_answer

FEEDS: dict[str, type[BrokerFeed]] = {"fyers": FyersFeed, "zerodha": ZerodhaFeed}


def nine_in_the_evening(day: date) -> datetime:
    return datetime.combine(day, time(21), IST)


@dataclass
class Exchange:
    """What the venue of a broker quotes: bars by symbol, on a day; `changes` rewrites the quotes of single symbols."""

    name: str
    venue: Venue
    day: date
    bars: dict[str, dict[str, Any]]
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    unknown: frozenset[str] = frozenset()
    limits: dict[str, dict[str, Any]] = field(default_factory=dict)

    def listed(self) -> list[str]:
        return [*self.bars, *self.unknown]

    def master(self) -> bytes:
        if self.name == "fyers":
            rows = [
                fyers_venue.master_row(
                    str(100 + n), f"{name} LTD", "0.05", self._isin(name), f"NSE:{self._named(name)}"
                )
                for n, name in enumerate(self.listed())
            ]
            return ("\n".join(rows) + "\n").encode()
        lines = [
            f"{100 + n},{n},{self._named(name).removesuffix('-EQ')},{name} LTD,0.0,,0.0,0.05,1,EQ,NSE,NSE"
            for n, name in enumerate(self.listed())
        ]
        return ("\n".join((kite_venue.HEADER, *lines)) + "\n").encode()

    def calls(self) -> int:
        return len(self.venue.requests)

    def _isin(self, name: str) -> str:
        isin = self.bars.get(name, {}).get("isin")
        return isin if isinstance(isin, str) else ""

    def _named(self, name: str) -> str:
        return f"{name}-{self.bars.get(name, {}).get('series', 'EQ')}"

    def _symbol(self, venue_name: str) -> str:
        name = venue_name.removeprefix("NSE:")
        return name if name in self.bars else name.rpartition("-")[0]

    def fyers_quotes(self, request: Request) -> Answer:
        names = request.query["symbols"][0].split(",")
        return fyers_venue.success(d=[self._fyers_quote(name) for name in names])

    def _fyers_quote(self, name: str) -> dict[str, Any]:
        symbol = self._symbol(name)
        if symbol not in self.bars:
            return {"n": name, "s": "error", "v": {"code": -300, "errmsg": "invalid symbol"}}
        bar = self.bars[symbol]
        quote = {
            "lp": bar["close"], "volume": bar["volume"], "open_price": bar["open"], "high_price": bar["high"],
            "low_price": bar["low"], "prev_close_price": bar["prev_close"],
            "tt": str(int(datetime.combine(self.day, time(), UTC).timestamp())),
        }  # fmt: skip
        return {"n": name, "s": "ok", "v": quote | self.changes.get(symbol, {})}

    def fyers_limits(self) -> Answer:
        rows = {
            f"NSE:{self._named(symbol)}": {
                "exSymbol": symbol, "exSeries": bar["series"], "lastUpdate": str(self.day), "tradeStatus": 1,
                "lowerPrice": round(bar["prev_close"] * 0.9, 2), "upperPrice": round(bar["prev_close"] * 1.1, 2),
                "asmGsmVal": "", "qtyFreeze": "1000",
            }
            for symbol, bar in self.bars.items()
        }  # fmt: skip
        return json_answer({ticker: row | self.limits.get(row["exSymbol"], {}) for ticker, row in rows.items()})

    def kite_quotes(self, request: Request) -> Answer:
        names = [name for name in request.query["i"] if self._symbol(name) in self.bars]
        return kite_venue.success({name: self._kite_quote(self._symbol(name)) for name in names})

    def _kite_quote(self, symbol: str) -> dict[str, Any]:
        bar = self.bars[symbol]
        quote = {
            "last_price": bar["close"], "volume": bar["volume"], "last_trade_time": f"{self.day} 15:29:58",
            "ohlc": {"open": bar["open"], "high": bar["high"], "low": bar["low"], "close": bar["prev_close"]},
            "lower_circuit_limit": round(bar["prev_close"] * 0.9, 2),
            "upper_circuit_limit": round(bar["prev_close"] * 1.1, 2),
        }  # fmt: skip
        return quote | self.changes.get(symbol, {})


def quoted_bars(frame: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """The bars of a frame by symbol, as plain values."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return {str(row["symbol"]): {str(name): value for name, value in row.items()} for row in rows}


@contextmanager
def exchange_at(name: str, day: date, frame: pd.DataFrame) -> Iterator[Exchange]:
    """A venue that quotes the bars of a frame as of a day."""
    with VENUES[name]() as venue:
        exchange = Exchange(name, venue, day, quoted_bars(frame))
        master = {"fyers": ("GET", "/sym_details/NSE_CM.csv"), "zerodha": ("GET", "/instruments/NSE")}[name]
        venue.routes[master] = lambda _: Answer(200, exchange.master(), "text/csv")
        venue.routes["GET", "/sym_details/NSE_CM_sym_master.json"] = lambda _: exchange.fyers_limits()
        venue.routes["GET", "/data/quotes"] = exchange.fyers_quotes
        venue.routes["GET", "/quote"] = exchange.kite_quotes
        yield exchange


def feed_of(exchange: Exchange, folder: Path, archive: Provider | None = None) -> BrokerFeed:
    """The provider of a venue, with its folder and the exchange's files, or none of these."""

    def open_account(now: datetime) -> Broker:
        transport = Transport(
            AnswerLimits(20, 30),
            pauses=(),
            root=exchange.venue.root,
            public_root=exchange.venue.root,
            last_good_master=folder / MASTER_FILE,
        )
        return open_broker(exchange.name, Access("app-100", "token"), transport, lambda: now)

    return FEEDS[exchange.name](archive or NoArchive(), QuotedDays(folder), open_account)
