"""The simulator as a `Broker`: what the account's owner sees of the simulated venue."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final

from brokers.answers import quotes_in_parts, spans
from brokers.charges import Side
from brokers.prices import Listing
from brokers.protocol import (
    CALLS,
    SERIES,
    Adjustment,
    Capabilities,
    DailyBar,
    Funds,
    History,
    Holding,
    Instrument,
    Order,
    OrderRequest,
    Placed,
    Position,
    Profile,
    Quote,
    Quotes,
    Rejected,
    Rows,
    SellAuthorisation,
    SymbolMaster,
    Trade,
    check_tag,
)
from brokers.simulator.client import SimulatorClient
from brokers.simulator.state import NOTHING, BookedOrder, Execution, Lot, State, mean_price
from brokers.simulator.venue import SimulatedVenue

_EXCHANGE: Final = "NSE"
_NOBODY: Final = Profile("SIMULATED", "Simulated account", SellAuthorisation.STANDING)


class SimulatorBroker:
    """One simulated account. Its state is the venue's: a snapshot of it can be kept and taken up again."""

    name = "simulator"
    capabilities = Capabilities(
        calls=frozenset(CALLS),
        quotes_a_call=500,
        history_days_a_call=2000,
        history_adjusted=Adjustment.RAW,
        price_bands=True,
        market_protection=True,
    )

    def __init__(self, client: SimulatorClient, profile: Profile | None = None) -> None:
        self.client, self._profile = client, profile or _NOBODY

    @property
    def state(self) -> State:
        return self.client.venue.state

    def profile(self) -> Profile:
        return self.client.call("profile", lambda _: self._profile)

    def funds(self) -> Funds:
        return self.client.call("funds", lambda venue: Funds(venue.available(), venue.blocked()))

    def holdings(self) -> Rows[Holding]:
        return self.client.call("holdings", _holdings)

    def positions(self) -> Rows[Position]:
        return self.client.call("positions", _positions)

    def orders(self) -> Rows[Order]:
        return self.client.call("orders", _orders)

    def trades(self) -> Rows[Trade]:
        return self.client.call("trades", lambda venue: Rows(tuple(_trade(fill) for fill in _visible(venue))))

    def find_by_tag(self, tag: str) -> Rows[Order]:
        check_tag(tag)
        return self.client.call(
            "find_by_tag", lambda venue: Rows(tuple(order for order in _orders(venue).rows if order.tag == tag))
        )

    def quotes(self, symbols: Sequence[str]) -> Quotes:
        return quotes_in_parts(
            {symbol: symbol for symbol in symbols},
            self.capabilities.quotes_a_call,
            lambda wanted: self.client.call("quotes", lambda venue: _quotes(venue, wanted)),
        )

    def history(self, symbol: str, first: date, last: date) -> History:
        bars: list[DailyBar] = []
        for start, end in spans(first, last, self.capabilities.history_days_a_call):
            bars += self.client.call("history", partial(_bars, symbol=symbol, first=start, last=end))
        return History(tuple(bars), self.capabilities.history_adjusted)

    def symbol_master(self) -> SymbolMaster:
        return self.client.call("symbol_master", _symbol_master)

    def place(self, request: OrderRequest) -> Placed:
        return Placed(self.client.call("place", lambda venue: venue.place(request)), request.tag)

    def modify(self, order_id: str, request: OrderRequest) -> Placed:
        self.client.call("modify", lambda venue: venue.modify(order_id, request))
        return Placed(order_id, request.tag)

    def cancel(self, order_id: str) -> None:
        self.client.call("cancel", lambda venue: venue.cancel(order_id))

    def requests_made(self) -> int:
        return self.client.requests_made()

    def close(self) -> None:
        """There is nothing to close."""


def _holdings(venue: SimulatedVenue) -> Rows[Holding]:
    """Shares that have arrived or are on their way from earlier sessions; today's purchases are positions alone.

    What was sold today is still held, until tomorrow, also where nothing is left of it.
    """
    sold = [fill.symbol for fill in venue.state.executions if fill.side == Side.SELL]
    rows = []
    for symbol in dict.fromkeys([*venue.state.lots, *sold]):
        held = [lot for lot in venue.state.lots.get(symbol, ()) if not _is_of_today(venue, lot)]
        if held or _sold_today(venue, symbol):
            rows.append(_holding(venue, symbol, held))
    return Rows(tuple(rows))


def _holding(venue: SimulatedVenue, symbol: str, lots: list[Lot]) -> Holding:
    state = venue.state
    arriving = sum(lot.quantity for lot in lots if lot.sellable_from > state.now.date())
    owned = sum(lot.quantity for lot in lots)
    cost = sum((lot.quantity * lot.price for lot in lots), NOTHING)
    listing = venue.listings().get(symbol)
    return Holding(
        isin=lots[-1].isin if lots else listing.isin if listing else "",
        symbol=symbol,
        exchange=_EXCHANGE,
        quantity=owned - arriving + _sold_today(venue, symbol),
        t1_quantity=arriving,
        sellable_quantity=state.sellable(symbol),
        average_price=mean_price(owned, cost) or NOTHING,
    )


def _sold_today(venue: SimulatedVenue, symbol: str) -> int:
    """Shares that still count as held until tomorrow."""
    return venue.state.traded(symbol, Side.SELL) if venue.behaviour.settles else 0


def _is_of_today(venue: SimulatedVenue, lot: Lot) -> bool:
    return venue.behaviour.settles and lot.bought_on == venue.state.now.date()


def _positions(venue: SimulatedVenue) -> Rows[Position]:
    """What was traded today and is not settled."""
    if not venue.behaviour.settles:
        return Rows(())
    by_symbol: dict[tuple[str, str], list[Execution]] = defaultdict(list)
    for fill in _visible(venue):
        by_symbol[fill.symbol, fill.product].append(fill)
    return Rows(tuple(_position(*key, fills) for key, fills in by_symbol.items()))


def _position(symbol: str, product: str, fills: list[Execution]) -> Position:
    net = sum(fill.quantity if fill.side == Side.BUY else -fill.quantity for fill in fills)
    side = Side.BUY if net > 0 else Side.SELL
    traded = [fill for fill in fills if fill.side == side and net]
    value = sum((fill.quantity * fill.price for fill in traded), NOTHING)
    mean = mean_price(sum(fill.quantity for fill in traded), value)
    return Position(symbol, _EXCHANGE, product, net, mean or NOTHING)


def _book_moment(venue: SimulatedVenue) -> datetime:
    """As of when the book is shown."""
    return venue.state.now - timedelta(seconds=venue.behaviour.book_lag_seconds)


def _visible(venue: SimulatedVenue) -> list[Execution]:
    moment = _book_moment(venue)
    return [fill for fill in venue.state.executions if fill.at <= moment]


def _orders(venue: SimulatedVenue) -> Rows[Order]:
    moment = _book_moment(venue)
    orders = (_order(order, moment) for order in venue.state.orders)
    return Rows(tuple(order for order in orders if order is not None))


def _order(order: BookedOrder, moment: datetime) -> Order | None:
    version = order.as_of(moment)
    if version is None:
        return None
    return Order(
        order_id=order.order_id,
        tag=order.tag,
        symbol=order.symbol,
        side=order.side,
        product=order.product,
        order_type=order.order_type,
        quantity=version.quantity,
        filled_quantity=version.filled_quantity,
        price=version.price,
        average_price=mean_price(version.filled_quantity, version.value),
        status=version.state,
        vendor_status=version.state.upper(),
        message=version.message,
        placed_at=order.placed_at,
        updated_at=version.at,
    )


def _trade(fill: Execution) -> Trade:
    return Trade(fill.trade_id, fill.order_id, fill.symbol, fill.quantity, fill.price, fill.at)


def _quotes(venue: SimulatedVenue, wanted: dict[str, str]) -> list[Quote]:
    listed = venue.listings()
    return [_quote(venue, symbol) for symbol in wanted if symbol in listed]


def _quote(venue: SimulatedVenue, symbol: str) -> Quote:
    """The day so far; before its first price, the bar of the last session."""
    bar, prices, bands = venue.previous_bar(symbol), venue.day_prices(symbol), venue.bands(symbol)
    edges: dict[str, Any] = {"lower_band": bands.lower, "upper_band": bands.upper} if bands else {}
    if not prices:
        if bar is None:
            return Quote(symbol, None, None, None, None, **edges)
        return Quote(symbol, bar.date, None, bar.close, bar.volume, bar.open, bar.high, bar.low, **edges)
    amounts: list[Decimal] = [price.price for price in prices]
    return Quote(
        symbol=symbol,
        day=venue.state.now.date(),
        at=prices[-1].at,
        last_price=amounts[-1],
        volume=sum(price.volume for price in prices),
        open=amounts[0],
        high=max(amounts),
        low=min(amounts),
        previous_close=bar.close if bar else None,
        **edges,
    )


def _bars(venue: SimulatedVenue, symbol: str, first: date, last: date) -> list[DailyBar]:
    if symbol not in venue.listings():
        raise Rejected(f"The simulator's list of today has no {symbol}: check the symbol.", code="rejected")
    return venue.history(symbol, first, last)


def _symbol_master(venue: SimulatedVenue) -> SymbolMaster:
    return SymbolMaster(tuple(_instrument(row) for row in venue.listings().values() if row.series in SERIES), 0)


def _instrument(listing: Listing) -> Instrument:
    return Instrument(
        symbol=listing.symbol,
        series=listing.series,
        tick_size=listing.tick_size,
        venue_name=listing.symbol,
        name=listing.name,
        token=listing.symbol,
        isin=listing.isin,
    )
