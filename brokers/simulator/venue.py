"""The simulated venue: takes orders in, moves through the market's prices, and fills at the next price; pure.

Its clock is moved by `advance` alone and never back. A price fills only orders that were at the exchange before it.
"""

import heapq
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from operator import itemgetter
from typing import Final

from brokers.charges import ChargesError, Fill, Kind, Product, Side, order_charges
from brokers.prices import Bands, Listing, Price, PriceSource
from brokers.protocol import IST, DailyBar, OrderRequest, OrderState, OrderType, Rejected
from brokers.simulator import matching
from brokers.simulator.behaviour import Behaviour
from brokers.simulator.state import LIVE, NOTHING, BookedOrder, Execution, Lot, State, Version

CLOSE: Final = time(15, 30)
_STOPS: Final = (OrderType.STOP, OrderType.STOP_MARKET)
_WITHOUT_LIMIT: Final = (OrderType.MARKET, OrderType.STOP_MARKET)
_ROUNDING: Final = Decimal(1)
"""₹; what the rounding of an order's charges for itself may lack of its part of the day's note."""

_NO_PRICE: Final = Decimal(10_000_000)
_DAYS_OF_A_LAST_CLOSE: Final = 30


class SimulatedVenue:
    """One account at the simulated venue. Rejections are raised as `Rejected`, before anything is booked."""

    def __init__(self, source: PriceSource, state: State, behaviour: Behaviour) -> None:
        self.source, self.state, self.behaviour = source, state, behaviour
        self._listed: tuple[date | None, Mapping[str, Listing]] = (None, {})

    # --- time ---------------------------------------------------------------------------------------------------------

    def advance(self, until: datetime) -> None:
        """Move to a moment (with its zone) through all prices on the way; an earlier moment changes nothing."""
        until = until.astimezone(IST)
        if until <= self.state.now:
            return
        for symbol, price in self._prices_of_live_orders(until):
            self._move(price.at)
            self._match(symbol, price)
        self._move(until)

    def _prices_of_live_orders(self, until: datetime) -> Iterable[tuple[str, Price]]:
        live = self.state.live_orders()
        if not live:
            return ()
        last = min(until, max(_close(order.expires_on) for order in live))
        symbols = sorted({order.symbol for order in live})
        by_symbol = [
            [(price.at, symbol, price) for price in self._prices(symbol, self.state.now, last)] for symbol in symbols
        ]
        return [(symbol, price) for _, symbol, price in heapq.merge(*by_symbol, key=itemgetter(0, 1))]

    def _move(self, moment: datetime) -> None:
        """Let pass what happens without a price: arrivals of orders, the close, a new day."""
        state = self.state
        for order in state.live_orders():
            self._arrive(order, moment)
            close = _close(order.expires_on)
            if order.is_live and moment > close:
                words = "The session ended before the order was filled."
                order.change(max(close, order.newest.at), state=OrderState.EXPIRED, message=words)
        if moment.date() > state.now.date():
            note = state.day_note(self.behaviour.tariff)
            if note is not None:
                state.cash -= note.total + note.dp
                state.charges += note.total + note.dp
            state.executions = []
            state.orders = state.live_orders()
        state.now = moment.astimezone(IST)

    def _arrive(self, order: BookedOrder, moment: datetime) -> None:
        newest = order.newest
        if newest.state != OrderState.IN_TRANSIT or newest.active_from > moment:
            return
        if self._is_rejected(order):
            words = "The exchange rejected the order, by the simulator's rejection_chance."
            order.change(newest.active_from, state=OrderState.REJECTED, message=words)
        else:
            order.change(newest.active_from, state=OrderState.OPEN)

    def _is_rejected(self, order: BookedOrder) -> bool:
        chance = self.behaviour.rejection_chance
        return bool(chance) and self.behaviour.draw("rejected", order.order_id) < chance

    # --- fills --------------------------------------------------------------------------------------------------------

    def _match(self, symbol: str, price: Price) -> None:
        """Fill the orders of a share from one price, the earliest first; together they take a part of its volume."""
        behaviour = self.behaviour
        left = None if behaviour.volume_part is None else int(price.volume * behaviour.volume_part)
        listing = self.listings().get(symbol)
        for order in self.state.live_orders():
            newest = order.newest
            waits = order.symbol != symbol or newest.state != OrderState.OPEN or newest.active_from >= price.at
            if waits or listing is None or self._is_waiting_stop(order, price, listing):
                continue
            fill = self._fill(order, price, listing, left)
            if fill is not None:
                left = None if left is None else left - fill.quantity
                self._book(order, price.at, fill)

    def _is_waiting_stop(self, order: BookedOrder, price: Price, listing: Listing) -> bool:
        """Whether a price is not the order's yet; one that sets it off is not: the next one fills."""
        newest = order.newest
        if newest.triggered or newest.trigger_price is None:
            return False
        if matching.is_triggered(order.side, newest.trigger_price, price.price):
            worst = newest.worst_price
            if order.order_type == OrderType.STOP_MARKET:
                worst = self._protected(order.side, newest.trigger_price, listing)
            order.change(price.at, triggered=True, active_from=price.at, worst_price=worst)
        return True

    def _fill(self, order: BookedOrder, price: Price, listing: Listing, left: int | None) -> matching.Fill | None:
        newest, behaviour = order.newest, self.behaviour
        terms = matching.Terms(
            *(order.symbol, order.side, newest.open_quantity, newest.worst_price, listing.tick_size),
            self.bands(order.symbol),
        )
        fill = matching.fill_at(terms, price, left, behaviour)
        if fill is None or fill.quantity == 1 or not behaviour.partial_chance:
            return fill
        key = order.order_id, price.at.isoformat()
        if behaviour.draw("partial", *key) >= behaviour.partial_chance:
            return fill
        part = 1 + int(behaviour.draw("part", *key) * (fill.quantity - 1))
        return matching.fill_at(terms, price, part, behaviour)

    def _book(self, order: BookedOrder, at: datetime, fill: matching.Fill) -> None:
        state, newest = self.state, order.newest
        value = fill.quantity * fill.price
        filled = newest.filled_quantity + fill.quantity
        order.change(
            at,
            state=OrderState.FILLED if filled == newest.quantity else OrderState.OPEN,
            filled_quantity=filled,
            value=newest.value + value,
        )
        trade = (state.next_number(), order.order_id, order.symbol, order.kind, order.product, order.side)
        state.executions.append(Execution(*trade, fill.quantity, fill.price, at))
        if order.side == Side.SELL:
            state.cash += value
            state.take_shares(order.symbol, fill.quantity)
        else:
            state.cash -= value
            day = at.date()
            lot = Lot(self.listings()[order.symbol].isin, fill.quantity, fill.price, day, self._sellable_from(day))
            state.lots.setdefault(order.symbol, []).append(lot)

    def _sellable_from(self, day: date) -> date:
        """The exchange delivers after the close of the session that follows a purchase."""
        return self.source.next_session(day) + timedelta(days=1) if self.behaviour.settles else day

    # --- orders -------------------------------------------------------------------------------------------------------

    def place(self, request: OrderRequest) -> str:
        """Take an order in and return its number."""
        listing = self._checked(request, None)
        state = self.state
        order = BookedOrder(
            order_id=state.next_number(),
            tag=request.tag,
            symbol=request.symbol,
            series=request.series,
            kind=listing.kind,
            side=request.side,
            order_type=request.order_type,
            product=request.product,
            placed_at=state.now,
            expires_on=self._session_of(state.now),
            versions=[self._version(request, listing)],
        )
        state.orders.append(order)
        self._arrive(order, state.now)
        return order.order_id

    def modify(self, order_id: str, request: OrderRequest) -> None:
        """Give an order another quantity and other prices; fills come from prices after it."""
        order = self._live(order_id)
        newest = order.newest
        if (request.symbol, request.side, request.order_type) != (order.symbol, order.side, order.order_type):
            raise _rejected(
                f"order {order_id} is a {order.order_type} order to {order.side} {order.symbol}: keep these"
            )
        if request.quantity <= newest.filled_quantity:
            raise _rejected(f"{newest.filled_quantity} of order {order_id} are filled: ask for more than that")
        listing = self._checked(request, order)
        version = self._version(request, listing)
        changed = {name: getattr(version, name) for name in _CHANGED}
        order.change(self.state.now, **changed)
        self._arrive(order, self.state.now)

    def cancel(self, order_id: str) -> None:
        """Take an order out of the book; what was filled stays."""
        self._live(order_id).change(self.state.now, state=OrderState.CANCELLED)

    def _live(self, order_id: str) -> BookedOrder:
        order = next((order for order in self.state.orders if order.order_id == order_id), None)
        if order is None:
            raise _rejected(f"today's book has no order {order_id}")
        if order.newest.state not in LIVE:
            raise _rejected(f"order {order_id} is {order.newest.state}: nothing of it is open")
        return order

    def _version(self, request: OrderRequest, listing: Listing) -> Version:
        now = self.state.now
        return Version(
            at=now,
            state=OrderState.IN_TRANSIT,
            quantity=request.quantity,
            worst_price=self._worst_price(request, listing),
            price=request.price,
            trigger_price=request.trigger_price,
            active_from=now + timedelta(seconds=self.behaviour.acceptance_seconds),
            triggered=False,
        )

    def _session_of(self, moment: datetime) -> date:
        """The session in which an order that is placed now can be filled last."""
        day = moment.date()
        is_session = self.source.next_session(day - timedelta(days=1)) == day
        return day if is_session and moment < _close(day) else self.source.next_session(day)

    # --- what is checked before anything is booked --------------------------------------------------------------------

    def _checked(self, request: OrderRequest, changed: BookedOrder | None) -> Listing:
        """The order's share; raises Rejected. What the order that is changed has blocked is free for it."""
        listing = self.listings().get(request.symbol)
        if listing is None or listing.series != request.series:
            raise _rejected(f"today's list has no {request.symbol} in series {request.series}: check the symbol")
        if request.product != Product.DELIVERY:
            raise _rejected(f"product {request.product} is not simulated: use {Product.DELIVERY}")
        self._check_prices(request, listing)
        if request.side == Side.SELL:
            sellable = self.state.sellable(request.symbol) + (changed.newest.open_quantity if changed else 0)
            wanted = request.quantity - (changed.newest.filled_quantity if changed else 0)
            if wanted > sellable:
                raise _rejected(f"{wanted} {request.symbol} cannot be sold: {sellable} are there and free")
        else:
            self._check_funds(request, listing, changed)
        return listing

    def _check_prices(self, request: OrderRequest, listing: Listing) -> None:
        bands = self.bands(request.symbol)
        for name, price in (("price", request.price), ("trigger price", request.trigger_price)):
            if price is None:
                continue
            if price >= _NO_PRICE:
                raise _rejected(f"the {name} {price} is none of a share")
            if price % listing.tick_size:
                raise _rejected(f"the {name} {price} is no multiple of {request.symbol}'s tick, {listing.tick_size}")
            if bands is not None and not bands.lower <= price <= bands.upper:
                raise _rejected(f"the {name} {price} is outside today's bands, {bands.lower} to {bands.upper}")

    def _check_funds(self, request: OrderRequest, listing: Listing, changed: BookedOrder | None) -> None:
        filled = changed.newest.filled_quantity if changed else 0
        price = self._blocking_price(
            request.symbol, request.order_type, request.quantity - filled, self._worst_price(request, listing)
        )
        needed = self._blocked(request.symbol, listing.kind, request.quantity - filled, price)
        free = self.available() + (self._blocked_by(changed) if changed else NOTHING)
        if needed > free:
            raise _rejected(
                f"{request.quantity} {request.symbol} need up to {needed:f} with charges, and {free:f} are free"
            )

    # --- money --------------------------------------------------------------------------------------------------------

    def available(self) -> Decimal:
        """₹ that can pay for purchases: cash less the charges of the day and what open orders block."""
        note = self.state.day_note(self.behaviour.tariff)
        return self.state.cash - (note.total + note.dp if note else NOTHING) - self.blocked()

    def blocked(self) -> Decimal:
        """₹ kept for the open purchases, at their worst prices, with charges."""
        buying = (order for order in self.state.live_orders() if order.side == Side.BUY)
        return sum((self._blocked_by(order) for order in buying), NOTHING)

    def _blocked_by(self, order: BookedOrder) -> Decimal:
        newest = order.newest
        price = self._blocking_price(order.symbol, order.order_type, newest.open_quantity, newest.worst_price)
        return self._blocked(order.symbol, order.kind, newest.open_quantity, price)

    def _blocking_price(self, symbol: str, order_type: OrderType, quantity: int, worst_price: Decimal) -> Decimal:
        """The price at which a purchase blocks money: the worst one, unless an execution says what it costs now."""
        execution = self.behaviour.execution
        last = self._last_price(symbol) if execution and order_type == OrderType.MARKET and quantity else None
        if execution is None or last is None:
            return worst_price
        return execution(symbol, Side.BUY, quantity, Price(self.state.now, last, 0)) or last

    def _blocked(self, symbol: str, kind: Kind, quantity: int, price: Decimal) -> Decimal:
        value = quantity * price
        if self.behaviour.tariff is None:
            return value
        try:
            order = Fill("1", symbol, Side.BUY, quantity, price, kind=kind)
            charges = order_charges(self.behaviour.tariff, self.state.now.date(), order)
        except ChargesError as error:
            raise _rejected(str(error).rstrip(".")) from None
        return value + charges.total + _ROUNDING

    # --- the market ---------------------------------------------------------------------------------------------------

    def listings(self) -> Mapping[str, Listing]:
        """What can be traded today, by symbol."""
        day = self.state.now.date()
        if self._listed[0] != day:
            self._listed = day, {listing.symbol: listing for listing in self.source.listings(day)}
        return self._listed[1]

    def bands(self, symbol: str) -> Bands | None:
        """Today's bands; None where they are not known or switched off."""
        return self.source.bands(symbol, self.state.now.date()) if self.behaviour.bands else None

    def day_prices(self, symbol: str) -> list[Price]:
        """Today's prices up to now."""
        start = datetime.combine(self.state.now.date(), time(), IST) - timedelta(microseconds=1)
        return self._prices(symbol, start, self.state.now)

    def _prices(self, symbol: str, after: datetime, until: datetime) -> list[Price]:
        """The source's prices, without those that are none."""
        return [price for price in self.source.prices(symbol, after, until) if price.price > 0 and price.volume >= 0]

    def history(self, symbol: str, first: date, last: date) -> list[DailyBar]:
        """Bars of sessions that have ended."""
        now = self.state.now
        ended = now.date() if now > _close(now.date()) else now.date() - timedelta(days=1)
        return list(self.source.history(symbol, first, min(last, ended)))

    def previous_bar(self, symbol: str) -> DailyBar | None:
        """The bar of the last session before today, within a month."""
        day = self.state.now.date()
        bars = self.source.history(symbol, day - timedelta(days=_DAYS_OF_A_LAST_CLOSE), day - timedelta(days=1))
        return bars[-1] if bars else None

    def _worst_price(self, request: OrderRequest, listing: Listing) -> Decimal:
        if request.order_type not in _WITHOUT_LIMIT:
            assert request.price is not None
            return request.price
        reference = request.trigger_price or self._last_price(request.symbol)
        if reference is None:
            raise _rejected(f"no price of {request.symbol} is known yet: use a limit order")
        return self._protected(request.side, reference, listing)

    def _protected(self, side: Side, reference: Decimal, listing: Listing) -> Decimal:
        return matching.protected_price(side, reference, listing.tick_size, self.behaviour)

    def _last_price(self, symbol: str) -> Decimal | None:
        prices = self.day_prices(symbol)
        if prices:
            return prices[-1].price
        bar = self.previous_bar(symbol)
        return bar.close if bar else None


_CHANGED: Final = ("state", "quantity", "worst_price", "price", "trigger_price", "active_from")


def _close(day: date) -> datetime:
    return datetime.combine(day, CLOSE, IST)


def _rejected(reason: str) -> Rejected:
    return Rejected(f"The simulator rejects this: {reason}.", code="rejected")
