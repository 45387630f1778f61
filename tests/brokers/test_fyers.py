"""Fyers through the real library at a loopback venue."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from brokers.charges import Side
from brokers.protocol import OrderRequest, OrderType, OutcomeUnknown, Rejected, Unreadable
from tests.brokers.fyers_venue import CANDLES, DAY, ORDER, QUOTE, fyers_venue, success
from tests.brokers.venue import Venue, json_answer
from tests.contracts.broker_conformance import VendorConformance


class TestFyers(VendorConformance):
    name = "fyers"

    @pytest.fixture
    def venue(self) -> Iterator[Venue]:
        with fyers_venue() as venue:
            yield venue

    @pytest.mark.parametrize(("tag", "ours"), [("1:ABC", "ABC"), ("2:ABC", None), ("1:Untagged", None), ("", None)])
    def test_a_tag_of_the_vendors_own_is_not_ours(self, broker, venue: Venue, tag: str, ours: str | None):
        venue.routes["GET", "/api/v3/orders"] = lambda _: success(orderBook=[ORDER | {"orderTag": tag}])
        assert [order.tag for order in broker.orders().rows] == [ours]

    def test_sent_and_not_acknowledged_is_unknown(self, broker, venue: Venue):
        venue.routes["POST", "/api/v3/orders/sync"] = lambda _: json_answer({"s": "ok", "code": 201, "id": "9"})
        with pytest.raises(OutcomeUnknown):
            broker.place(OrderRequest("SBIN", Side.BUY, 1, OrderType.MARKET, "T1"))

    def test_a_protection_that_it_cannot_keep_is_refused_unsent(self, broker, venue: Venue):
        with pytest.raises(Rejected, match=r"no market protection of 2.50 %") as caught:
            broker.place(OrderRequest("SBIN", Side.BUY, 1, OrderType.MARKET, "T1", market_protection=Decimal("2.50")))
        assert not caught.value.sent
        assert not venue.sent("POST")

    def test_yesterdays_quote_gets_no_time_of_today(self, broker, venue: Venue):
        entry = {"n": "NSE:SBIN-EQ", "s": "ok", "v": QUOTE | {"tt": str(DAY - 3 * 86_400), "lp": -1}}
        venue.routes["GET", "/data/quotes"] = lambda _: success(d=[entry])
        [row] = broker.quotes(["SBIN"]).rows
        assert (row.day, row.at, row.last_price) == (date(2026, 11, 27), None, None)

    def test_a_candle_of_another_hour_is_not_guessed(self, broker, venue: Venue):
        candle = [CANDLES[0][0] - 19_800, *CANDLES[0][1:]]
        venue.routes["GET", "/data/history"] = lambda _: success(candles=[candle])
        with pytest.raises(Unreadable, match="no midnight"):
            broker.history("SBIN", date(2026, 11, 26), date(2026, 11, 27))

    def test_history_is_asked_for_by_the_year(self, broker, venue: Venue):
        broker.history("SBIN", date(2024, 1, 1), date(2025, 12, 31))
        spans = [(r.query["range_from"][0], r.query["range_to"][0]) for r in venue.requests]
        assert spans == [("2024-01-01", "2024-12-31"), ("2025-01-01", "2025-12-31")]

    def test_no_file_is_written(self, broker, tmp_path: Path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        broker.profile()
        assert list(tmp_path.iterdir()) == []

    def test_never_sliced(self, broker, venue: Venue):
        broker.place(OrderRequest("SBIN", Side.BUY, 1, OrderType.MARKET, "T1"))
        assert b"lice" not in venue.sent("POST")[0].body
