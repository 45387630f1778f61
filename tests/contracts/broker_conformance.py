"""What every broker must show for the same account: inherited by the test class of each."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from brokers.charges import Side
from brokers.protocol import (
    CALLS,
    IST,
    BrokerError,
    OrderRequest,
    OrderState,
    OrderType,
    Rejected,
    SellAuthorisation,
    Unavailable,
)
from tests.brokers.accounts import NOW, TAG, account
from tests.brokers.venue import Answer, Venue


class BrokerConformance:
    """Fixture `venue` is where an account of Asha Rao's is, `opened` opens it and `fail` fails the calls to come.

    The attributes are what differs between a vendor's account and a simulated one.
    """

    name: str
    available, used = Decimal("58150.5"), Decimal("300.25")
    exchange = "BSE"
    sold_or_pledged = 2 + 3
    position = 5
    of_other_markets = 1
    doubled = 1

    @pytest.fixture
    def broker(self, venue: Any) -> Iterator[Any]:
        with self.opened(venue) as broker:
            yield broker

    def opened(self, venue: Any, pauses: tuple[float, ...] = ()) -> AbstractContextManager[Any]:
        raise NotImplementedError

    def fail(self, venue: Any, status: int) -> None:
        """Let each call to come fail with 503, or 429 and a wait of 3 seconds."""
        raise NotImplementedError

    def test_profile_and_funds(self, broker):
        profile, funds = broker.profile(), broker.funds()
        assert (profile.client_id, profile.name) == ("AB1234", "Asha Rao")
        assert profile.sell_authorisation == SellAuthorisation.STANDING
        assert (funds.available, funds.used) == (self.available, self.used)

    def test_holdings_go_by_isin_and_what_cannot_be_sold_is_left_out(self, broker):
        sbin, reliance = broker.holdings().rows
        assert (sbin.isin, sbin.symbol, sbin.exchange, sbin.quantity) == ("INE062A01020", "SBIN", self.exchange, 11)
        assert (sbin.sellable_quantity, sbin.t1_quantity) == (11 - self.sold_or_pledged, 0)
        assert (reliance.sellable_quantity, reliance.t1_quantity) == (0, 2)
        assert reliance.average_price == Decimal("2206.5")

    def test_other_markets_are_counted_and_not_shown(self, broker):
        calls = broker.positions(), broker.orders(), broker.trades()
        assert [rows.out_of_scope for rows in calls] == [self.of_other_markets] * 3
        [position] = broker.positions().rows
        assert (position.symbol, position.quantity, position.product) == ("SBIN", self.position, "cnc")

    def test_the_order_book(self, broker):
        opened, rejected = broker.orders().rows
        assert (opened.order_id, opened.tag, opened.symbol, opened.side) == ("1001", TAG, "SBIN", Side.BUY)
        assert (opened.status, opened.quantity, opened.filled_quantity) == (OrderState.OPEN, 10, 3)
        assert (opened.price, opened.average_price) == (Decimal("430.05"), Decimal("430.0"))
        assert opened.placed_at == datetime(2026, 11, 30, 9, 18, 57, tzinfo=IST)
        assert (rejected.status, rejected.message, rejected.tag) == (OrderState.REJECTED, "Insufficient funds", None)
        assert (rejected.order_type, rejected.price, rejected.average_price) == (OrderType.MARKET, None, None)

    def test_trades(self, broker):
        [trade] = broker.trades().rows
        assert (trade.trade_id, trade.order_id, trade.quantity, trade.price) == ("77", "1001", 3, Decimal(430))
        assert trade.traded_at == datetime(2026, 11, 30, 9, 18, 58, tzinfo=IST)

    def test_quotes_and_unknown_symbols(self, broker):
        broker.symbol_master()
        quotes = broker.quotes(["SBIN", "BAJAJ-AUTO", "GTLINFRA", "NOSUCH"])
        assert [quote.symbol for quote in quotes.rows] == ["SBIN", "BAJAJ-AUTO", "GTLINFRA"]
        assert quotes.missing == ("NOSUCH",)
        [sbin, *_] = quotes.rows
        assert (sbin.last_price, sbin.volume, sbin.previous_close) == (Decimal("426.9"), 1000, Decimal("425.1"))
        assert sbin.day == date(2026, 11, 30)
        assert sbin.at is not None
        assert sbin.at.utcoffset() == NOW.utcoffset()

    def test_an_evening_stays_within_its_budget(self, broker):
        symbols = [f"S0{number:04}" for number in range(2_600)]
        for call in ("symbol_master", "profile", "funds", "holdings", "positions", "orders", "trades"):
            getattr(broker, call)()
        assert [quote.symbol for quote in broker.quotes(symbols).rows] == symbols
        assert broker.requests_made() <= -(-2_600 // broker.capabilities.quotes_a_call) + 10

    def test_history(self, broker):
        history = broker.history("SBIN", date(2026, 11, 26), date(2026, 11, 27))
        assert [bar.date for bar in history.rows] == [date(2026, 11, 26), date(2026, 11, 27)]
        assert (history.rows[0].open, history.rows[0].close, history.rows[0].volume) == (420, Decimal("425.1"), 900)
        assert history.adjusted == broker.capabilities.history_adjusted

    def test_the_master_knows_names_series_and_ticks(self, broker):
        master = broker.symbol_master()
        assert [(row.symbol, row.series, row.tick_size) for row in master.rows] == [
            ("SBIN", "EQ", Decimal("0.05")),
            ("BAJAJ-AUTO", "EQ", Decimal(1)),
            ("GTLINFRA", "BE", Decimal("0.01")),
        ]
        assert master.doubled == self.doubled

    def test_an_order_is_placed_found_changed_and_cancelled(self, broker):
        request = OrderRequest("SBIN", Side.BUY, 7, OrderType.LIMIT, "FRESHTAG01", Decimal("430.05"))
        placed = broker.place(request)
        [order] = broker.find_by_tag("FRESHTAG01").rows
        assert (order.order_id, order.tag, order.quantity) == (placed.order_id, "FRESHTAG01", 7)
        assert broker.find_by_tag("NOSUCHTAG").rows == ()
        assert broker.modify(placed.order_id, request).order_id == placed.order_id
        broker.cancel(placed.order_id)
        assert broker.requests_made() == 5

    def test_a_reading_is_repeated_twice_and_a_write_never(self, venue: Any):
        self.fail(venue, 503)
        with self.opened(venue, pauses=(0, 0)) as broker:
            with pytest.raises(Unavailable):
                broker.profile()
            assert broker.requests_made() == 3
            with pytest.raises(BrokerError):
                broker.place(OrderRequest("SBIN", Side.BUY, 7, OrderType.MARKET, "T1"))
            assert broker.requests_made() == 4

    def test_too_many_calls_are_not_answered_by_more(self, venue: Any):
        self.fail(venue, 429)
        with self.opened(venue, pauses=(0, 0)) as broker:
            with pytest.raises(Unavailable) as error:
                broker.profile()
            assert (broker.requests_made(), error.value.retry_after_seconds) == (1, 3)

    @pytest.mark.parametrize("tag", ["A TAG", "A" * 21, "Untagged", ""])
    def test_nothing_is_sent_for_a_bad_tag(self, broker, tag: str):
        with pytest.raises(ValueError, match="no tag"):
            broker.find_by_tag(tag)
        assert broker.requests_made() == 0

    def test_it_says_which_calls_it_knows(self, broker):
        assert broker.capabilities.calls == set(CALLS)


class VendorConformance(BrokerConformance):
    """A vendor's real library against a loopback venue."""

    def opened(self, venue: Venue, pauses: tuple[float, ...] = ()) -> AbstractContextManager[Any]:
        return account(self.name, venue, pauses=pauses)

    def fail(self, venue: Venue, status: int) -> None:
        venue.spoil = lambda _request, answer: Answer(status, b"{}", headers={"Retry-After": "3"})

    @pytest.mark.parametrize("damage", ["a column less", "cut", "html", "nothing", "no number"])
    def test_a_damaged_master_is_refused_whole(self, broker, venue: Venue, damage: str):
        def spoil(_request, answer: Answer) -> Answer:
            text, kind = answer.body.decode(), answer.content_type
            if damage == "a column less":
                text = "\n".join(line.partition(",")[2] for line in text.splitlines())
            elif damage == "cut":
                text = text[:-30]
            elif damage == "html":
                text, kind = "<html>busy</html>", "text/html"
            elif damage == "nothing":
                text = ""
            else:
                text = text.replace("0.05", "five")
            return Answer(200, text.encode(), kind)

        venue.spoil = spoil
        with pytest.raises(BrokerError) as error:
            broker.symbol_master()
        assert error.value.word == ("unavailable" if damage == "html" else "unreadable")

    def test_what_it_counts_is_what_arrived(self, broker, venue: Venue):
        request = OrderRequest("SBIN", Side.BUY, 7, OrderType.LIMIT, "FRESHTAG01", Decimal("430.05"))
        broker.cancel(broker.place(request).order_id)
        assert [len(venue.sent(method)) for method in ("POST", "DELETE")] == [1, 1]
        assert b"430.05" in venue.sent("POST")[0].body
        assert broker.requests_made() == len(venue.requests) == 2

    def test_the_library_is_pointed_at_this_root_alone(self, broker, venue: Venue):
        broker.profile()
        assert [request.headers["Authorization"].endswith("s3cret-access-token") for request in venue.requests] == [
            True
        ]

    def test_a_symbol_that_the_venue_does_not_list_has_no_history(self, broker):
        if self.name == "zerodha":  # the only one whose history needs today's list
            with pytest.raises(Rejected) as error:
                broker.history("NOSUCH", date(2026, 11, 26), date(2026, 11, 27))
            assert not error.value.sent
