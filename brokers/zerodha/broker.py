"""Zerodha as a `Broker`: Kite's rows in our words."""

from collections.abc import Sequence
from datetime import date, datetime
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
from brokers.charges import Side
from brokers.masters import LastGoodMaster
from brokers.protocol import (
    CALLS,
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
from brokers.zerodha import master
from brokers.zerodha.client import KiteClient

_EXCHANGES: Final = ("NSE", "BSE")
_REGULAR: Final = "regular"
_MOMENT: Final = "%Y-%m-%d %H:%M:%S"
_AUTHORISATION: Final = {"physical": SellAuthorisation.STANDING, "consent": SellAuthorisation.PER_DAY}
_ORDER_TYPES: Final = {
    "MARKET": OrderType.MARKET,
    "LIMIT": OrderType.LIMIT,
    "SL": OrderType.STOP,
    "SL-M": OrderType.STOP_MARKET,
}
_MARKET_TYPES: Final = (OrderType.MARKET, OrderType.STOP_MARKET)
_BROKERS_OWN: Final = -1
_STATES: Final = {
    "COMPLETE": OrderState.FILLED,
    "REJECTED": OrderState.REJECTED,
    "CANCELLED": OrderState.CANCELLED,
    "OPEN": OrderState.OPEN,
    "TRIGGER PENDING": OrderState.OPEN,
    **dict.fromkeys(
        (
            *("PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING", "MODIFY VALIDATION PENDING"),
            *("MODIFY PENDING", "CANCEL PENDING", "AMO REQ RECEIVED"),
        ),
        OrderState.IN_TRANSIT,
    ),
}


class ZerodhaBroker:
    """One account at Zerodha."""

    name = "zerodha"
    capabilities = Capabilities(
        calls=frozenset(CALLS),
        quotes_a_call=500,
        history_days_a_call=2000,
        history_adjusted=Adjustment.VENDOR,
        price_bands=True,
        market_protection=True,
    )

    def __init__(self, client: KiteClient, last_good_master: Path | None = None) -> None:
        self.client, self._kite = client, client.kite
        self.masters = LastGoodMaster(master.symbol_master, last_good_master)
        self._master: SymbolMaster | None = None

    def profile(self) -> Profile:
        content = self.client.json("profile", "other", self._kite.profile)
        return self.client.reading("profile", lambda: _profile(content))

    def funds(self) -> Funds:
        content = self.client.json("funds", "other", self._kite.margins)
        return self.client.reading("funds", lambda: _funds(content))

    def holdings(self) -> Rows[Holding]:
        content = self.client.json("holdings", "other", self._kite.holdings)
        return self.client.reading("holdings", lambda: _holdings(content))

    def positions(self) -> Rows[Position]:
        content = self.client.json("positions", "other", self._kite.positions)
        return self.client.reading("positions", lambda: _positions(content))

    def orders(self) -> Rows[Order]:
        content = self.client.json("orders", "other", self._kite.orders)
        return self.client.reading("orders", lambda: _orders(content))

    def trades(self) -> Rows[Trade]:
        content = self.client.json("trades", "other", self._kite.trades)
        return self.client.reading("trades", lambda: _trades(content))

    def find_by_tag(self, tag: str) -> Rows[Order]:
        check_tag(tag)
        content = self.client.json("find_by_tag", "other", self._kite.orders)
        return self.client.reading("find_by_tag", lambda: _orders(content, tag))

    def quotes(self, symbols: Sequence[str]) -> Quotes:
        names = venue_names(
            symbols, self._master or self.masters.read(), lambda *name: f"NSE:{master.venue_name(*name)}"
        )
        return quotes_in_parts(names, self.capabilities.quotes_a_call, self._quotes)

    def history(self, symbol: str, first: date, last: date) -> History:
        token = self._token(symbol)
        bars: list[DailyBar] = []
        for start, end in spans(first, last, self.capabilities.history_days_a_call):
            bars += self._bars(token, start, end)
        return History(tuple(bars), self.capabilities.history_adjusted)

    def symbol_master(self) -> SymbolMaster:
        content = self.client.text("symbol_master", "other", lambda: self._kite.instruments("NSE"))
        self._master = self.client.reading("symbol_master", lambda: self.masters.accepted(content))
        return self._master

    def place(self, request: OrderRequest) -> Placed:
        content = self.client.json(
            "place",
            "order",
            lambda: self._kite.place_order(
                _REGULAR,
                exchange="NSE",
                tradingsymbol=master.venue_name(request.symbol, request.series),
                transaction_type=request.side.upper(),
                product=request.product.upper(),
                validity="DAY",
                tag=request.tag,
                **_terms(request),
            ),
        )
        return Placed(self.client.reading("place", lambda: text(content, "order_id")), request.tag)

    def modify(self, order_id: str, request: OrderRequest) -> Placed:
        content = self.client.json(
            "modify",
            "order",
            lambda: self._kite.modify_order(_REGULAR, order_id, validity="DAY", **_terms(request)),
        )
        return Placed(self.client.reading("modify", lambda: text(content, "order_id")), request.tag)

    def cancel(self, order_id: str) -> None:
        content = self.client.json("cancel", "order", lambda: self._kite.cancel_order(_REGULAR, order_id))
        self.client.reading("cancel", lambda: text(content, "order_id"))

    def requests_made(self) -> int:
        return self.client.requests_made()

    def close(self) -> None:
        """Close the session."""
        self.client.close()

    def _quotes(self, wanted: dict[str, str]) -> list[Quote]:
        content = self.client.json("quotes", "quote", lambda: self._kite.quote(list(wanted.values())))
        return self.client.reading("quotes", lambda: _quotes(content, wanted))

    def _bars(self, token: str, start: date, end: date) -> list[DailyBar]:
        span = f"{start} 00:00:00", f"{end} 23:59:59"
        content = self.client.json("history", "historical", lambda: self._kite.historical_data(token, *span, "day"))
        return self.client.reading("history", lambda: _bars(content))

    def _token(self, symbol: str) -> str:
        rows = (self._master or self.symbol_master()).rows
        for row in rows:
            if row.symbol == symbol:
                return row.token
        raise Rejected(f"Zerodha's list of today has no {symbol}: check the symbol.", sent=False)


def _terms(request: OrderRequest) -> dict[str, Any]:
    """Quantity, kind and prices as Kite takes them; MARKET and SL-M need a protection since April 2026."""
    terms: dict[str, Any] = {"quantity": request.quantity, "order_type": request.order_type.upper()}
    for name, value in (("price", request.price), ("trigger_price", request.trigger_price)):
        if value is not None:
            terms[name] = f"{value:f}"
    if request.order_type in _MARKET_TYPES:
        own = request.market_protection is None
        terms["market_protection"] = _BROKERS_OWN if own else f"{request.market_protection:f}"
    return terms


def _profile(content: Any) -> Profile:
    if not isinstance(content, dict):
        raise FieldError("it is no object")
    meta = content.get("meta")
    consent = meta.get("demat_consent") if isinstance(meta, dict) else None
    authorisation = _AUTHORISATION.get(consent, SellAuthorisation.UNKNOWN) if isinstance(consent, str) else None
    return Profile(text(content, "user_id"), text(content, "user_name"), authorisation or SellAuthorisation.UNKNOWN)


def _funds(content: Any) -> Funds:
    equity = part(content, "equity", dict)
    used = equity.get("utilised")
    return Funds(
        amount(part(equity, "available", dict), "live_balance"),
        amount(used, "debits") if isinstance(used, dict) else None,
    )


def _in_scope(content: Any) -> tuple[list[dict[str, Any]], int]:
    rows = objects(content)
    kept = [row for row in rows if text(row, "exchange") in _EXCHANGES]
    return kept, len(rows) - len(kept)


def _symbol(row: dict[str, Any]) -> str:
    name = text(row, "tradingsymbol")
    return master.symbol_and_series(name)[0] if row["exchange"] == "NSE" else name


def _holdings(content: Any) -> Rows[Holding]:
    kept, others = _in_scope(content)
    return Rows(merged_holdings(_holding(row) for row in kept), others)


def _holding(row: dict[str, Any]) -> Holding:
    quantity = whole(row, "quantity")
    settled = min(quantity, whole(row, "realised_quantity"))
    return Holding(
        isin=text(row, "isin"),
        symbol=_symbol(row),
        exchange=row["exchange"],
        quantity=quantity,
        t1_quantity=whole(row, "t1_quantity"),
        sellable_quantity=max(0, settled - whole(row, "used_quantity") - whole(row, "collateral_quantity")),
        average_price=amount(row, "average_price"),
    )


def _positions(content: Any) -> Rows[Position]:
    kept, others = _in_scope(part(content, "net", list))
    return Rows(
        tuple(
            Position(
                _symbol(row),
                row["exchange"],
                text(row, "product").lower(),
                whole(row, "quantity"),
                amount(row, "average_price"),
            )
            for row in kept
        ),
        others,
    )


def _orders(content: Any, tag: str | None = None) -> Rows[Order]:
    kept, others = _in_scope(content)
    return Rows(tuple(_order(row, tag) for row in kept if tag is None or tag in _tags(row)), others)


def _tags(row: dict[str, Any]) -> list[str]:
    tags = row.get("tags")
    return [tag for tag in (row.get("tag"), *(tags if isinstance(tags, list) else ())) if isinstance(tag, str) and tag]


def _order(row: dict[str, Any], tag: str | None) -> Order:
    status = text(row, "status")
    return Order(
        order_id=text(row, "order_id"),
        tag=tag or next(iter(_tags(row)), None),
        symbol=_symbol(row),
        side=side(text(row, "transaction_type")),
        product=text(row, "product").lower(),
        order_type=_ORDER_TYPES.get(text(row, "order_type")),
        quantity=whole(row, "quantity"),
        filled_quantity=whole(row, "filled_quantity"),
        price=price(row, "price"),
        average_price=price(row, "average_price"),
        status=_STATES.get(status, OrderState.UNKNOWN),
        vendor_status=status,
        message=optional_text(row, "status_message"),
        placed_at=ist(optional_text(row, "order_timestamp"), _MOMENT),
        # The exchange's; what never reached it, such as a rejection by Zerodha, has the time of its registration alone.
        updated_at=ist(
            optional_text(row, "exchange_update_timestamp") or optional_text(row, "order_timestamp"), _MOMENT
        ),
    )


def side(word: str) -> Side:
    """Return BUY or SELL as ours."""
    try:
        return Side(word.lower())
    except ValueError:
        raise FieldError(f"the side {word[:20]!r} is none") from None


def _trades(content: Any) -> Rows[Trade]:
    kept, others = _in_scope(content)
    return Rows(
        tuple(
            Trade(
                text(row, "trade_id"),
                text(row, "order_id"),
                _symbol(row),
                whole(row, "quantity"),
                amount(row, "average_price"),
                ist(optional_text(row, "fill_timestamp"), _MOMENT),  # order_timestamp of a trade has no date
                row["exchange"],
            )
            for row in kept
        ),
        others,
    )


def _quotes(content: Any, wanted: dict[str, str]) -> list[Quote]:
    """The quotes of one answer; a symbol that Kite does not know is absent from it."""
    if not isinstance(content, dict):
        raise FieldError("it is no object")
    return [_quote(symbol, part(content, name, dict)) for symbol, name in wanted.items() if name in content]


def _quote(symbol: str, row: dict[str, Any]) -> Quote:
    at = ist(optional_text(row, "last_trade_time"), _MOMENT)
    prices = part(row, "ohlc", dict)
    return Quote(
        symbol=symbol,
        day=at.date() if at else None,
        at=at,
        last_price=price(row, "last_price"),
        volume=whole(row, "volume"),
        open=price(prices, "open"),
        high=price(prices, "high"),
        low=price(prices, "low"),
        previous_close=price(prices, "close"),
        lower_band=price(row, "lower_circuit_limit"),
        upper_band=price(row, "upper_circuit_limit"),
    )


def _bars(content: Any) -> list[DailyBar]:
    return [_bar(candle) for candle in part(content, "candles", list)]


def _bar(candle: Any) -> DailyBar:
    if not isinstance(candle, list) or not candle or not isinstance(candle[0], str):
        raise FieldError("a candle has no time")
    try:
        day = datetime.fromisoformat(candle[0]).date()
    except ValueError:
        raise FieldError(f"a candle's time is {candle[0][:30]!r}") from None
    return daily_bar(day, candle)
