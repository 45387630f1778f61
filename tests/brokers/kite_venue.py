"""Kite's answers for the account that `tests.contracts.broker_conformance` describes."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs

from tests.brokers.venue import Answer, Request, Venue, json_answer, serving

HEADER = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,instrument_type,"
    "segment,exchange"
)
MASTER = "\n".join(
    (
        HEADER,
        "779521,3045,SBIN,STATE BANK OF INDIA,0.0,,0.0,0.05,1,EQ,NSE,NSE",
        "4267265,16669,BAJAJ-AUTO,BAJAJ AUTO,0.0,,0.0,1,1,EQ,NSE,NSE",
        "3486721,13620,GTLINFRA-BE,GTL INFRA,0.0,,0.0,0.01,1,EQ,NSE,NSE",
        "3486721,13620,GTLINFRA-BE,GTL INFRA,0.0,,0.0,0.01,1,EQ,NSE,NSE",
        "999,999,656MH32-SG,SDL,0.0,,0.0,0.01,1,EQ,NSE,NSE",
        "256265,1001,NIFTY 50,NIFTY 50,0.0,,0.0,0.0,0,EQ,INDICES,NSE\n",
    )
)
HOLDING = {
    "tradingsymbol": "SBIN",
    "exchange": "BSE",
    "isin": "INE062A01020",
    "product": "CNC",
    "quantity": 11,
    "used_quantity": 2,
    "t1_quantity": 0,
    "realised_quantity": 11,
    "collateral_quantity": 3,
    "average_price": 429,
    "mtf": {"quantity": 1000},
}
TOMORROW = HOLDING | {
    "tradingsymbol": "RELIANCE",
    "exchange": "NSE",
    "isin": "INE002A01018",
    "quantity": 0,
    "t1_quantity": 2,
    "used_quantity": 0,
    "realised_quantity": 0,
    "collateral_quantity": 0,
    "average_price": 2206.5,
}
POSITION = {"tradingsymbol": "SBIN", "exchange": "NSE", "product": "CNC", "quantity": 5, "average_price": 430.5}
ORDER = {
    "order_id": "1001",
    "tradingsymbol": "SBIN",
    "exchange": "NSE",
    "transaction_type": "BUY",
    "product": "CNC",
    "order_type": "LIMIT",
    "quantity": 10,
    "filled_quantity": 3,
    "price": 430.05,
    "average_price": 430.0,
    "status": "OPEN",
    "status_message": None,
    "order_timestamp": "2026-11-30 09:18:57",
    "tag": "CI2FM6ASGRLHQERUKZ4B",
    "tags": ["CI2FM6ASGRLHQERUKZ4B"],
}
REJECTED = ORDER | {
    "order_id": "1002",
    "status": "REJECTED",
    "status_message": "Insufficient funds",
    "tag": None,
    "tags": [],
    "filled_quantity": 0,
    "average_price": 0,
    "order_type": "MARKET",
    "price": 0,
}
TRADE = {
    "trade_id": "77",
    "order_id": "1001",
    "tradingsymbol": "SBIN",
    "exchange": "NSE",
    "quantity": 3,
    "average_price": 430.0,
    "order_timestamp": "09:18:58",
    "fill_timestamp": "2026-11-30 09:18:58",
}
QUOTE = {
    "instrument_token": 779521,
    "last_price": 426.9,
    "volume": 1000,
    "last_trade_time": "2026-11-30 10:00:00",
    "ohlc": {"open": 425, "high": 430, "low": 424.5, "close": 425.1},
    "lower_circuit_limit": 382.6,
    "upper_circuit_limit": 467.6,
}
CANDLES = [
    ["2026-11-26T00:00:00+0530", 420, 426.5, 419, 425.1, 900],
    ["2026-11-27T00:00:00+0530", 425, 430, 424.5, 426.9, 1000],
]


APP_SECRET = "s3cret-of-the-app"
REQUEST_TOKEN = "request-token-0001"
NEW_TOKEN = "kite-token-of-today"


def session_token(request: Request) -> Answer:
    """What Kite answers to the exchange: by the checksum, whoever asks knows the secret."""
    form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
    proof = hashlib.sha256(f"{form['api_key']}{REQUEST_TOKEN}{APP_SECRET}".encode()).hexdigest()
    if (form["request_token"], form["checksum"]) != (REQUEST_TOKEN, proof):
        words = f"Token {form['request_token']} is invalid or has expired."
        return json_answer({"status": "error", "error_type": "TokenException", "message": words}, 403)
    return success({"user_id": "AB1234", "access_token": NEW_TOKEN, "refresh_token": "", "login_time": ""})


def success(data: Any) -> Answer:
    return json_answer({"status": "success", "data": data})


@contextmanager
def kite_venue() -> Iterator[Venue]:
    with serving() as venue:
        book: list[dict[str, Any]] = []

        def place(request: Request) -> Answer:
            form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
            row = ORDER | {"order_id": f"23{len(book):02}", "tag": form["tag"], "tags": [form["tag"]]}
            book.append(row | {"quantity": int(form["quantity"]), "filled_quantity": 0})
            return success({"order_id": row["order_id"]})

        def quotes(request: Request) -> Answer:
            known = ("NSE:SBIN", "NSE:BAJAJ-AUTO", "NSE:GTLINFRA-BE")
            return success({name: QUOTE for name in request.query["i"] if name in known or name.startswith("NSE:S0")})

        def done(request: Request) -> Answer:
            return success({"order_id": request.path.rpartition("/")[2]})

        other = {"exchange": "MCX", "tradingsymbol": "GOLDPETAL21JUNFUT"}
        venue.routes |= {
            ("POST", "/session/token"): session_token,
            ("GET", "/user/profile"): lambda _: success(
                {"user_id": "AB1234", "user_name": "Asha Rao", "email": "a@x", "meta": {"demat_consent": "physical"}}
            ),
            ("GET", "/user/margins"): lambda _: success(
                {"equity": {"net": 1, "available": {"live_balance": 58150.5}, "utilised": {"debits": 300.25}}}
            ),
            ("GET", "/portfolio/holdings"): lambda _: success([HOLDING, TOMORROW]),
            ("GET", "/portfolio/positions"): lambda _: success({"net": [POSITION, POSITION | other], "day": []}),
            ("GET", "/orders"): lambda _: success([ORDER, REJECTED, ORDER | other, *book]),
            ("GET", "/trades"): lambda _: success([TRADE, TRADE | other]),
            ("GET", "/quote"): quotes,
            ("GET", "/instruments/NSE"): lambda _: Answer(200, MASTER.encode(), "text/csv"),
            ("GET", "/instruments/historical/779521/day"): lambda _: success({"candles": CANDLES}),
            ("POST", "/orders/regular"): place,
            ("PUT", "/orders/regular/*"): done,
            ("DELETE", "/orders/regular/*"): done,
        }
        yield venue
