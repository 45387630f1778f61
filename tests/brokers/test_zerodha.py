"""Zerodha through the real library at a loopback venue."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from brokers.answers import merged_holdings
from brokers.charges import Side
from brokers.protocol import Holding, OrderRequest, OrderType
from brokers.zerodha.master import symbol_and_series
from tests.brokers.kite_venue import QUOTE, kite_venue, success
from tests.brokers.venue import Venue
from tests.contracts.broker_conformance import VendorConformance


class TestZerodha(VendorConformance):
    name = "zerodha"

    @pytest.fixture
    def venue(self) -> Iterator[Venue]:
        with kite_venue() as venue:
            yield venue

    @pytest.mark.parametrize(
        ("consent", "authorisation"),
        [("physical", "standing"), ("consent", "per_day"), ("", "unknown"), (7, "unknown")],
    )
    def test_the_right_to_sell(self, broker, venue: Venue, consent: object, authorisation: str):
        content = {"user_id": "AB1234", "user_name": "A", "meta": {"demat_consent": consent}}
        venue.routes["GET", "/user/profile"] = lambda _: success(content)
        assert broker.profile().sell_authorisation == authorisation

    @pytest.mark.parametrize("order_type", [OrderType.MARKET, OrderType.STOP_MARKET])
    def test_market_orders_are_protected_and_never_sliced(self, broker, venue: Venue, order_type: OrderType):
        trigger = Decimal(400) if order_type == OrderType.STOP_MARKET else None
        broker.place(OrderRequest("SBIN", Side.SELL, 1, order_type, "T1", trigger_price=trigger))
        body = venue.sent("POST")[0].body
        assert b"market_protection=-1" in body
        assert b"slice" not in body

    def test_a_protection_of_ones_own_is_sent(self, broker, venue: Venue):
        broker.place(OrderRequest("SBIN", Side.SELL, 1, OrderType.MARKET, "T1", market_protection=Decimal("2.50")))
        assert b"market_protection=2.50" in venue.sent("POST")[0].body

    def test_prices_that_are_none(self, broker, venue: Venue):
        quote = QUOTE | {"last_price": 0, "lower_circuit_limit": 0, "last_trade_time": None}
        venue.routes["GET", "/quote"] = lambda _: success({"NSE:SBIN": quote})
        [row] = broker.quotes(["SBIN"]).rows
        assert (row.last_price, row.lower_band, row.at, row.day) == (None, None, None, None)

    def test_bands(self, broker):
        [row] = broker.quotes(["SBIN"]).rows
        assert (str(row.lower_band), str(row.upper_band)) == ("382.6", "467.6")


@pytest.mark.parametrize(
    ("name", "symbol", "series"),
    [
        ("SBIN", "SBIN", "EQ"),
        ("BAJAJ-AUTO", "BAJAJ-AUTO", "EQ"),
        ("NAM-INDIA", "NAM-INDIA", "EQ"),
        ("UMIYA-MRO", "UMIYA-MRO", "EQ"),
        ("GTLINFRA-BE", "GTLINFRA", "BE"),
        ("IEML-RE-ST", "IEML-RE", "ST"),
        ("NXT-INFRA-IV", "NXT-INFRA", "IV"),
    ],
)
def test_a_series_is_a_suffix_of_two_characters(name: str, symbol: str, series: str):
    assert symbol_and_series(name) == (symbol, series)


def test_a_share_held_under_two_exchanges_is_one_holding():
    under_bse = Holding("INE062A01020", "SBIN-A", "BSE", 10, 5, 10, Decimal(400))
    under_nse = Holding("INE062A01020", "SBIN", "NSE", 30, 0, 20, Decimal(440))
    other = Holding("INE467B01029", "TCS", "NSE", 1, 0, 1, Decimal(3000))
    both = Holding("INE062A01020", "SBIN", "NSE", 40, 5, 30, Decimal(19200) / 45)  # (15·400 + 30·440) / 45
    assert merged_holdings([under_bse, other, under_nse]) == (both, other)
    assert merged_holdings([under_nse, other, under_bse]) == (both, other)
