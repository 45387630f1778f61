"""Fyers' answers for the account that `tests.contracts.broker_conformance` describes."""

import base64
import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.brokers.venue import Answer, Request, Venue, json_answer, serving

DAY = 1_795_996_800  # 2026-11-30, midnight in UTC


def master_row(token: str, name: str, tick: str, isin: str, ticker: str) -> str:
    hours = "0915-1530|1815-1915:"
    return f"{token},{name},0,1,{tick},{isin},{hours},2026-11-30,,{ticker},10,10,1,X,1,-1.0,XX,{token},None,0,0.0"


MASTER = "\n".join(
    (
        master_row("101", "STATE BANK OF INDIA", "0.05", "INE062A01020", "NSE:SBIN-EQ"),
        master_row("102", "BAJAJ AUTO", "1.0", "INE917I01010", "NSE:BAJAJ-AUTO-EQ"),
        master_row("103", "GTL INFRA", "0.01", "INE221H01019", "NSE:GTLINFRA-BE"),
        master_row("103", "GTL INFRA", "0.01", "INE221H01019", "NSE:GTLINFRA-BE"),
        master_row("104", "SDL", "0.01", "IN2220200306", "NSE:656MH32-SG"),
        master_row("105", "NIFTY50", "0.05", "", "NSE:NIFTY50-INDEX") + "\n",
    )
)
HOLDING = {
    "symbol": "BSE:SBIN-A",
    "holdingType": "HLD",
    "quantity": 11,
    "remainingQuantity": 9,
    "costPrice": 429,
    "isin": "INE062A01020",
    "qty_t1": 0,
    "collateralQuantity": 3,
    "segment": 10,
    "exchange": 12,
}
TOMORROW = HOLDING | {
    "symbol": "NSE:RELIANCE-EQ",
    "holdingType": "T1",
    "quantity": 2,
    "remainingQuantity": 2,
    "costPrice": 2206.5,
    "isin": "INE002A01018",
    "qty_t1": 2,
    "collateralQuantity": 0,
}
POSITION = {"symbol": "NSE:SBIN-EQ", "netQty": 5, "netAvg": 430.5, "productType": "CNC", "segment": 10}
ORDER = {
    "id": "1001",
    "symbol": "NSE:SBIN-EQ",
    "side": 1,
    "productType": "CNC",
    "type": 1,
    "qty": 10,
    "filledQty": 3,
    "limitPrice": 430.05,
    "tradedPrice": 430.0,
    "status": 6,
    "message": "",
    "segment": 10,
    "orderDateTime": "30-Nov-2026 09:18:57",
    "orderTag": "1:CI2FM6ASGRLHQERUKZ4B",
}
REJECTED = ORDER | {
    "id": "1002",
    "status": 5,
    "message": "Insufficient funds",
    "orderTag": "2:Untagged",
    "filledQty": 0,
    "type": 2,
    "limitPrice": 0,
    "tradedPrice": 0,
}
TRADE = {
    "tradeNumber": "77",
    "orderNumber": "1001",
    "symbol": "NSE:SBIN-EQ",
    "tradedQty": 3,
    "tradePrice": 430.0,
    "orderDateTime": "30-Nov-2026 09:18:58",
    "segment": 10,
}
QUOTE = {
    "lp": 426.9,
    "volume": 1000,
    "tt": str(DAY),
    "open_price": 425,
    "high_price": 430,
    "low_price": 424.5,
    "prev_close_price": 425.1,
}
CANDLES = [[DAY - 4 * 86_400, 420, 426.5, 419, 425.1, 900], [DAY - 3 * 86_400, 425, 430, 424.5, 426.9, 1000]]


APP_SECRET = "s3cret-of-the-app"
AUTH_CODE = "auth-code-0001"


def json_web_token(**claims: Any) -> str:
    """A token as Fyers makes it, unsigned."""
    parts = ({"alg": "HS256"}, {"iss": "api.fyers.in", "sub": "access_token"} | claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join((*encoded, "c2lnbmVk"))


def validate_authcode(request: Request, token: str) -> Answer:
    """What Fyers answers to the exchange: by the hash, whoever asks knows the secret."""
    order = json.loads(request.body)
    proof = hashlib.sha256(f"app-100:{APP_SECRET}".encode()).hexdigest()
    if order != {"grant_type": "authorization_code", "appIdHash": proof, "code": AUTH_CODE}:
        return json_answer({"s": "error", "code": -8, "message": f"Invalid auth code {order['code']}"}, 401)
    return success(access_token=token, refresh_token="fyers-refresh-token")


def success(**content: Any) -> Answer:
    return json_answer({"s": "ok", "code": 200, "message": "", **content})


@contextmanager
def fyers_venue() -> Iterator[Venue]:
    with serving() as venue:
        book: list[dict[str, Any]] = []

        def place(request: Request) -> Answer:
            order = json.loads(request.body)
            row = ORDER | {"id": f"23{len(book):02}", "orderTag": f"1:{order['orderTag']}"}
            book.append(row | {"qty": order["qty"], "filledQty": 0})
            return json_answer({"s": "ok", "code": 1101, "message": "submitted", "id": row["id"]})

        def quote(name: str) -> dict[str, Any]:
            known = ("NSE:SBIN-EQ", "NSE:BAJAJ-AUTO-EQ", "NSE:GTLINFRA-BE")
            if name in known or name.startswith("NSE:S0"):
                return {"n": name, "s": "ok", "v": QUOTE}
            return {"n": name, "s": "error", "v": {"code": -300, "errmsg": "invalid symbol"}}

        def orders(request: Request) -> Answer:
            rows = [ORDER, REJECTED, ORDER | other, *book]
            tags = request.query.get("order_tag")
            return success(orderBook=[row for row in rows if not tags or row["orderTag"] in tags])

        other = {"symbol": "MCX:SILVERMIC20AUGFUT", "segment": 20}

        def done(request: Request) -> Answer:
            order_id = json.loads(request.body)["id"]
            return json_answer({"s": "ok", "code": 1102, "message": "done", "id": order_id})

        funds = [{"id": 1, "equityAmount": 9}, {"id": 2, "equityAmount": 300.25}, {"id": 10, "equityAmount": 58150.5}]
        venue.routes |= {
            ("POST", "/api/v3/validate-authcode"): lambda request: validate_authcode(
                request, json_web_token(fy_id="AB1234", exp=int(time.time()) + 3600)
            ),
            ("GET", "/api/v3/profile"): lambda _: success(
                data={"fy_id": "AB1234", "name": "Asha Rao", "email_id": "a@x", "PAN": "P", "ddpi_enabled": True}
            ),
            ("GET", "/api/v3/funds"): lambda _: success(fund_limit=funds),
            ("GET", "/api/v3/holdings"): lambda _: success(holdings=[HOLDING, TOMORROW]),
            ("GET", "/api/v3/positions"): lambda _: success(netPositions=[POSITION, POSITION | other]),
            ("GET", "/api/v3/orders"): orders,
            ("GET", "/api/v3/tradebook"): lambda _: success(tradeBook=[TRADE, TRADE | other]),
            ("GET", "/data/quotes"): lambda request: success(
                d=[quote(name) for name in request.query["symbols"][0].split(",")]
            ),
            ("GET", "/data/history"): lambda _: json_answer({"s": "ok", "candles": CANDLES}),
            ("GET", "/sym_details/NSE_CM.csv"): lambda _: Answer(200, MASTER.encode(), "text/csv"),
            ("POST", "/api/v3/orders/sync"): place,
            ("PATCH", "/api/v3/orders/sync"): done,
            ("DELETE", "/api/v3/orders/sync"): done,
        }
        yield venue
