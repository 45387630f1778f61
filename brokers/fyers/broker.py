"""Fyers as a `Broker`: its rows in our words."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from brokers.answers import (
    FieldError,
    amount,
    daily_bar,
    ist,
    merged_holdings,
    objects,
    optional_text,
    part,
    price,
    quotes_in_parts,
    spans,
    text,
    venue_names,
    whole,
)
from brokers.charges import Product, Side
from brokers.fyers import master
from brokers.fyers.client import FyersClient
from brokers.fyers.limits import TradingLimits, trading_limits
from brokers.masters import LastGoodMaster
from brokers.protocol import (
    CALLS,
    IST,
    Adjustment,
    Capabilities,
    DailyBar,
    Funds,
    History,
    Holding,
    Order,
    OrderRequest,
    OrderState,
    OrderType,
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

_EXCHANGES: Final = ("NSE:", "BSE:")
_CASH_MARKET: Final = 10
_AVAILABLE, _USED = 10, 2
_MOMENT: Final = "%d-%b-%Y %H:%M:%S"
_DAY_SECONDS: Final = 86_400
_OURS: Final = "1:"
_UNTAGGED: Final = "untagged"
_SIDES: Final = {1: Side.BUY, -1: Side.SELL}
_PRODUCTS: Final = {Product.DELIVERY: "CNC", Product.INTRADAY: "INTRADAY"}
_ORDER_TYPES: Final = {1: OrderType.LIMIT, 2: OrderType.MARKET, 3: OrderType.STOP_MARKET, 4: OrderType.STOP}
_STATES: Final = {
    1: OrderState.CANCELLED,
    2: OrderState.FILLED,
    4: OrderState.IN_TRANSIT,
    5: OrderState.REJECTED,
    6: OrderState.OPEN,
    7: OrderState.EXPIRED,
}


class FyersBroker:
    """One account at Fyers. `clock` says when a quote was asked for: Fyers names its day alone."""

    name = "fyers"
    capabilities = Capabilities(
        calls=frozenset(CALLS),
        quotes_a_call=50,
        history_days_a_call=366,
        history_adjusted=Adjustment.UNKNOWN,
        price_bands=False,
        market_protection=False,
    )

    def __init__(
        self, client: FyersClient, clock: Callable[[], datetime], last_good_master: Path | None = None
    ) -> None:
        self.client, self._fyers, self._clock = client, client.fyers, clock
        self.masters = LastGoodMaster(master.symbol_master, last_good_master)
        self._master: SymbolMaster | None = None

    def profile(self) -> Profile:
        answer = self.client.json("profile", "other", self._fyers.get_profile)
        return self.client.reading("profile", lambda: _profile(part(answer, "data", dict)))

    def funds(self) -> Funds:
        answer = self.client.json("funds", "other", self._fyers.funds)
        return self.client.reading("funds", lambda: _funds(part(answer, "fund_limit", list)))

    def holdings(self) -> Rows[Holding]:
        answer = self.client.json("holdings", "other", self._fyers.holdings)
        return self.client.reading("holdings", lambda: _holdings(part(answer, "holdings", list)))

    def positions(self) -> Rows[Position]:
        answer = self.client.json("positions", "other", self._fyers.positions)
        return self.client.reading("positions", lambda: _positions(part(answer, "netPositions", list)))

    def orders(self) -> Rows[Order]:
        answer = self.client.json("orders", "other", self._fyers.orderbook)
        return self.client.reading("orders", lambda: _orders(part(answer, "orderBook", list)))

    def trades(self) -> Rows[Trade]:
        answer = self.client.json("trades", "other", self._fyers.tradebook)
        return self.client.reading("trades", lambda: _trades(part(answer, "tradeBook", list)))

    def find_by_tag(self, tag: str) -> Rows[Order]:
        check_tag(tag)
        query = {"order_tag": f"{_OURS}{tag}"}
        answer = self.client.json("find_by_tag", "other", lambda: self._fyers.orderbook(query))
        book = self.client.reading("find_by_tag", lambda: _orders(part(answer, "orderBook", list)))
        return Rows(tuple(order for order in book.rows if order.tag == tag), book.out_of_scope)

    def quotes(self, symbols: Sequence[str]) -> Quotes:
        names = venue_names(symbols, self._master or self.masters.read(), master.ticker)
        return quotes_in_parts(names, self.capabilities.quotes_a_call, self._quotes)

    def history(self, symbol: str, first: date, last: date) -> History:
        bars: list[DailyBar] = []
        for start, end in spans(first, last, self.capabilities.history_days_a_call):
            bars += self._bars(symbol, start, end)
        return History(tuple(bars), self.capabilities.history_adjusted)

    def symbol_master(self) -> SymbolMaster:
        content = self.client.files.master()
        self._master = self.client.reading("symbol_master", lambda: self.masters.accepted(content))
        return self._master

    def trading_limits(self) -> tuple[TradingLimits, ...]:
        """Price bands, surveillance, trade status and freeze quantity of shares and funds, each with its day."""
        content = self.client.files.limits()
        return self.client.reading("trading_limits", lambda: trading_limits(content))

    def place(self, request: OrderRequest) -> Placed:
        order = _terms(request) | {
            "symbol": master.ticker(request.symbol, request.series),
            "side": 1 if request.side == Side.BUY else -1,
            "productType": _PRODUCTS[request.product],
            "validity": "DAY",
            "disclosedQty": 0,
            "offlineOrder": False,
            "orderTag": request.tag,
        }
        answer = self.client.json("place", "order", lambda: self._fyers.place_order(order))
        return Placed(self.client.reading("place", lambda: text(answer, "id")), request.tag)

    def modify(self, order_id: str, request: OrderRequest) -> Placed:
        order = _terms(request) | {"id": order_id}
        answer = self.client.json("modify", "order", lambda: self._fyers.modify_order(order))
        return Placed(self.client.reading("modify", lambda: text(answer, "id")), request.tag)

    def cancel(self, order_id: str) -> None:
        answer = self.client.json("cancel", "order", lambda: self._fyers.cancel_order({"id": order_id}))
        self.client.reading("cancel", lambda: text(answer, "id"))

    def requests_made(self) -> int:
        return self.client.requests_made()

    def close(self) -> None:
        """Close the sessions."""
        self.client.close()

    def _quotes(self, wanted: dict[str, str]) -> list[Quote]:
        query = {"symbols": ",".join(wanted.values())}
        now = self._clock().astimezone(IST)
        answer = self.client.json("quotes", "other", lambda: self._fyers.quotes(query))
        return self.client.reading("quotes", lambda: _quotes(part(answer, "d", list), wanted, now))

    def _bars(self, symbol: str, start: date, end: date) -> list[DailyBar]:
        query = {
            "symbol": venue_names([symbol], self._master or self.masters.read(), master.ticker)[symbol],
            "resolution": "D",
            "date_format": "1",
            "range_from": start.isoformat(),
            "range_to": end.isoformat(),
        }
        answer = self.client.json("history", "other", lambda: self._fyers.history(query))
        return self.client.reading("history", lambda: _bars(part(answer, "candles", list)))


def _terms(request: OrderRequest) -> dict[str, Any]:
    """Quantity, kind and prices as Fyers takes them: numbers, 0 for none."""
    if request.market_protection is not None:
        raise Rejected(
            f"Fyers takes no market protection of {request.market_protection} %: leave it to the broker (-1), or give a"
            " limit.",
            sent=False,
        )
    return {
        "qty": request.quantity,
        "type": next(number for number, kind in _ORDER_TYPES.items() if kind == request.order_type),
        "limitPrice": float(request.price or 0),
        "stopPrice": float(request.trigger_price or 0),
    }


def _profile(content: dict[str, Any]) -> Profile:
    words = {True: SellAuthorisation.STANDING, False: SellAuthorisation.PER_DAY}
    enabled = content.get("ddpi_enabled")
    authorisation = words[enabled] if isinstance(enabled, bool) else SellAuthorisation.UNKNOWN
    return Profile(text(content, "fy_id"), text(content, "name"), authorisation)


def _funds(content: list[Any]) -> Funds:
    """By the rows' ids: their titles are for people."""
    rows = {row["id"]: row for row in objects(content) if isinstance(row.get("id"), int)}
    if _AVAILABLE not in rows:
        raise FieldError(f"'fund_limit' has no row {_AVAILABLE}")
    used = amount(rows[_USED], "equityAmount") if _USED in rows else None
    return Funds(amount(rows[_AVAILABLE], "equityAmount"), used)


def _in_scope(content: list[Any]) -> tuple[list[dict[str, Any]], int]:
    rows = objects(content)
    kept = [row for row in rows if text(row, "symbol").startswith(_EXCHANGES) and whole(row, "segment") == _CASH_MARKET]
    return kept, len(rows) - len(kept)


def _holdings(content: list[Any]) -> Rows[Holding]:
    kept, others = _in_scope(content)
    return Rows(merged_holdings(_holding(row) for row in kept), others)


def _holding(row: dict[str, Any]) -> Holding:
    name = text(row, "symbol")
    t1_quantity = whole(row, "qty_t1")
    free = whole(row, "remainingQuantity") - t1_quantity - whole(row, "collateralQuantity")
    return Holding(
        isin=text(row, "isin"),
        symbol=master.symbol_of(name),
        exchange=name[:3],
        quantity=whole(row, "quantity"),
        t1_quantity=t1_quantity,
        sellable_quantity=0 if row.get("holdingType") == "T1" else max(0, free),
        average_price=amount(row, "costPrice"),
    )


def _positions(content: list[Any]) -> Rows[Position]:
    kept, others = _in_scope(content)
    return Rows(tuple(_position(row) for row in kept), others)


def _position(row: dict[str, Any]) -> Position:
    name = text(row, "symbol")
    return Position(master.symbol_of(name), name[:3], _product(row), whole(row, "netQty"), amount(row, "netAvg"))


def _product(row: dict[str, Any]) -> str:
    word = text(row, "productType")
    return next((str(product) for product, name in _PRODUCTS.items() if name == word), word.lower())


def _orders(content: list[Any]) -> Rows[Order]:
    kept, others = _in_scope(content)
    return Rows(tuple(_order(row) for row in kept), others)


def _order(row: dict[str, Any]) -> Order:
    status = whole(row, "status")
    return Order(
        order_id=text(row, "id"),
        tag=_tag(row),
        symbol=master.symbol_of(text(row, "symbol")),
        side=_side(row),
        product=_product(row),
        order_type=_ORDER_TYPES.get(whole(row, "type")),
        quantity=whole(row, "qty"),
        filled_quantity=whole(row, "filledQty"),
        price=price(row, "limitPrice"),
        average_price=price(row, "tradedPrice"),
        status=_STATES.get(status, OrderState.UNKNOWN),
        vendor_status=str(status),
        message=optional_text(row, "message"),
        placed_at=ist(optional_text(row, "orderDateTime"), _MOMENT),
    )


def _tag(row: dict[str, Any]) -> str | None:
    """Our tag: Fyers puts `1:` before it; `2:` stands before its own."""
    tag = optional_text(row, "orderTag") or ""
    ours = tag.removeprefix(_OURS)
    return ours if ours and tag.startswith(_OURS) and ours.lower() != _UNTAGGED else None


def _side(row: dict[str, Any]) -> Side:
    side = _SIDES.get(whole(row, "side"))
    if side is None:
        raise FieldError(f"the side {row['side']} is none")
    return side


def _trades(content: list[Any]) -> Rows[Trade]:
    kept, others = _in_scope(content)
    return Rows(
        tuple(
            Trade(
                text(row, "tradeNumber"),
                text(row, "orderNumber"),
                master.symbol_of(text(row, "symbol")),
                whole(row, "tradedQty"),
                amount(row, "tradePrice"),
                ist(optional_text(row, "orderDateTime"), _MOMENT),
                text(row, "symbol")[:3],
            )
            for row in kept
        ),
        others,
    )


def _quotes(content: list[Any], wanted: dict[str, str], now: datetime) -> list[Quote]:
    """The quotes of one answer; a symbol that Fyers does not know has an error inside the success."""
    entries = {text(row, "n"): row for row in objects(content)}
    return [
        _quote(symbol, part(entries[name], "v", dict), now)
        for symbol, name in wanted.items()
        if name in entries and entries[name].get("s") == "ok"
    ]


def _quote(symbol: str, row: dict[str, Any], now: datetime) -> Quote:
    midnight = text(row, "tt")  # of the day, in UTC
    day = datetime.fromtimestamp(int(midnight), UTC).date() if midnight.isdigit() and len(midnight) < 12 else None
    return Quote(
        symbol=symbol,
        day=day,
        at=now if day == now.date() else None,
        last_price=price(row, "lp"),
        volume=whole(row, "volume"),
        open=price(row, "open_price"),
        high=price(row, "high_price"),
        low=price(row, "low_price"),
        previous_close=price(row, "prev_close_price"),
    )


def _bars(content: list[Any]) -> list[DailyBar]:
    return [_bar(candle) for candle in content]


def _bar(candle: Any) -> DailyBar:
    midnight = candle[0] if isinstance(candle, list) and candle else None
    if not isinstance(midnight, int) or midnight % _DAY_SECONDS or not 0 < midnight < 10**11:
        raise FieldError(f"a candle's time {str(midnight)[:30]} is no midnight in UTC")
    return daily_bar(datetime.fromtimestamp(midnight, UTC).date(), candle)
