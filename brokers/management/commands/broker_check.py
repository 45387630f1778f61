"""`manage.py broker_check`: each call of a broker once, as one JSON object."""

import dataclasses
import json
import time
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from brokers.charges import Product, Side
from brokers.connections import foreign_roots, is_loopback, open_account, root_of
from brokers.models import BrokerConfiguration
from brokers.plain_data import plain
from brokers.protocol import (
    CALLS,
    IST,
    Broker,
    BrokerError,
    OrderRequest,
    OrderType,
    Quotes,
    Rejected,
    check_tag,
    order_tag,
)
from brokers.registry import SIMULATOR, WITH_LOG_IN, capabilities_of, open_simulator

_READS: Final = ("profile", "funds", "holdings", "positions", "orders", "trades", "symbol_master")
_OPTION_OF: Final = {
    "quotes": "--symbols",
    "history": "--history",
    "find_by_tag": "--tag",
    **dict.fromkeys(("place", "modify", "cancel"), "--trade"),
}
_OF_A_TRADE: Final = ("place", "find_by_tag", "modify", "cancel")
_QUOTE: Final = ("symbol", "at", "last_price", "volume", "lower_band", "upper_band")


class Command(BaseCommand):
    help = "Make each call of a broker once, without repeating, and print what came of it as one JSON object."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("broker", choices=(*WITH_LOG_IN, SIMULATOR), help="the simulator needs no account")
        parser.add_argument("--user", metavar="NAME", help="whose account; needed when several people have one")
        parser.add_argument("--calls", metavar="A,B", help=f"default: {', '.join(_READS)} and those with arguments")
        symbols = parser.add_mutually_exclusive_group()
        symbols.add_argument("--symbols", metavar="A,B", help="for quotes")
        symbols.add_argument("--symbols-file", type=Path, metavar="FILE", help="for quotes, one symbol a line")
        parser.add_argument("--history", nargs=3, metavar=("SYMBOL", "FROM", "TO"))
        parser.add_argument("--tag", metavar="TAG", help="for find_by_tag")
        parser.add_argument(
            "--trade", type=Path, metavar="FILE", help="an order as JSON; at loopback addresses and the simulator alone"
        )
        parser.add_argument("--json", action="store_true", help="accepted for symmetry: the output is always JSON")

    def handle(self, *_: object, **options: Any) -> None:
        name = options["broker"]
        if options["trade"] and name != SIMULATOR and not is_loopback(name):
            raise CommandError(
                f"--trade is for loopback addresses: {root_of(name)} is the broker's own, and nothing was sent."
            )
        try:
            request = _order_request(options["trade"]) if options["trade"] else None
            plan = _plan(options)
            account = None if name == SIMULATOR else _account(name, options["user"])
        except (ValueError, OSError) as error:
            raise CommandError(str(error)) from error
        for setting, root in foreign_roots().items():
            self.stderr.write(f"{setting} is {root}, which is not the vendor's: its calls go to this machine.")
        report: dict[str, Any] = {
            "broker": name,
            "account": account.client_id or None if account else None,
            "root": root_of(name) if account else None,
            "checked_at": datetime.now(IST).isoformat(timespec="seconds"),
            "capabilities": plain(capabilities_of(name)),
        }
        try:
            broker = (
                open_account(account, timezone.now, pauses=()) if account else open_simulator(timezone.now, pauses=())
            )
        except BrokerError as error:
            first = ("place", "find_by_tag") if request else ()
            report["calls"] = {call: _failure(error) for call in (*plan, *first)}
        else:
            with closing(broker):
                calls = {call: _outcome(broker, run) for call, run in plan.items()}
                if request is not None:
                    calls |= _trade(broker, request)
                report["calls"] = calls
        self.stdout.write(json.dumps(report))
        if not all(call["ok"] or call["error"]["class"] == "unsupported" for call in report["calls"].values()):
            raise SystemExit(1)


def _account(broker: str, user: str | None) -> BrokerConfiguration:
    """The account of a person, or the only one; ValueError says what to do."""
    rows = BrokerConfiguration.objects.filter(broker=broker).select_related("user")
    accounts = list(rows.filter(user__username=user) if user else rows)
    if len(accounts) != 1:
        whose = f" of {user}" if user else ""
        remedy = "name the person by --user" if accounts else "enter it in the admin"
        raise ValueError(f"There are {len(accounts)} accounts{whose} at {broker}: {remedy}.")
    return accounts[0]


def _plan(options: dict[str, Any]) -> dict[str, Callable[[Broker], Any]]:
    """Which calls, in an order in which names are known before prices; ValueError on a call that is none."""
    symbols, history, tag = _symbols(options), options["history"], options["tag"]
    runs: dict[str, Callable[[Broker], Any]] = {
        "profile": lambda broker: broker.profile(),
        "funds": lambda broker: broker.funds(),
        "holdings": lambda broker: broker.holdings(),
        "positions": lambda broker: broker.positions(),
        "orders": lambda broker: broker.orders(),
        "trades": lambda broker: broker.trades(),
        "symbol_master": lambda broker: broker.symbol_master(),
    }
    if symbols:
        runs["quotes"] = lambda broker: broker.quotes(symbols)
    if history:
        symbol, first, last = history[0], date.fromisoformat(history[1]), date.fromisoformat(history[2])
        runs["history"] = lambda broker: broker.history(symbol, first, last)
    if tag is not None:
        check_tag(tag)
        runs["find_by_tag"] = lambda broker: broker.find_by_tag(tag)
    if options["calls"] is None:
        return runs
    wanted = [call.strip() for call in options["calls"].split(",") if call.strip()]
    for call in wanted:
        if call not in CALLS:
            raise ValueError(f"--calls {call}: it is none of {', '.join(CALLS)}.")
        made_by_trade = options["trade"] and call in _OF_A_TRADE
        if call not in runs and not made_by_trade:
            raise ValueError(f"--calls {call}: it needs {_OPTION_OF[call]}.")
    return {call: run for call, run in runs.items() if call in wanted}


def _symbols(options: dict[str, Any]) -> list[str]:
    lines = options["symbols_file"].read_text().splitlines() if options["symbols_file"] else []
    named = options["symbols"].split(",") if options["symbols"] else lines
    return [symbol.strip() for symbol in named if symbol.strip()]


def _order_request(path: Path) -> OrderRequest:
    """The order of a file; ValueError names what is wrong."""
    try:
        order = json.loads(path.read_text(), parse_float=Decimal, parse_int=Decimal)
        price = order.get("price")
        return OrderRequest(
            symbol=str(order["symbol"]),
            side=Side(str(order["side"]).lower()),
            quantity=_whole(order["quantity"]),
            order_type=OrderType(str(order["order_type"]).lower()),
            tag=order_tag(uuid4()),
            price=Decimal(price) if price else None,
            product=Product(str(order.get("product") or Product.DELIVERY).lower()),
        )
    except (KeyError, TypeError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"{path.name} is no order: {error!r}.") from error


def _whole(value: Any) -> int:
    number = Decimal(value)
    if number != int(number):
        raise ValueError(f"quantity {value} is no whole number of shares.")
    return int(number)


def _trade(broker: Broker, request: OrderRequest) -> dict[str, Any]:
    """Place an order, find it, move its limit by one tick, cancel it; after an error of place only look for it."""
    calls = {"place": _outcome(broker, lambda broker: broker.place(request))}
    calls["find_by_tag"] = _outcome(broker, lambda broker: broker.find_by_tag(request.tag))
    if not calls["place"]["ok"]:
        return calls
    order_id = calls["place"]["data"]["order_id"]
    if request.order_type == OrderType.LIMIT:
        calls["modify"] = _outcome(broker, lambda broker: broker.modify(order_id, _one_tick_away(broker, request)))
    calls["cancel"] = _outcome(broker, lambda broker: broker.cancel(order_id))
    return calls


def _one_tick_away(broker: Broker, request: OrderRequest) -> OrderRequest:
    """The same order further from the market by one step of its tick."""
    rows = broker.symbol_master().rows
    tick = next((row.tick_size for row in rows if (row.symbol, row.series) == (request.symbol, request.series)), None)
    if tick is None or request.price is None:
        raise Rejected(f"{request.symbol} has no tick in today's list: nothing was sent.", sent=False)
    away = -tick if request.side == Side.BUY and request.price > tick else tick
    return dataclasses.replace(request, price=request.price + away)


def _outcome(broker: Broker, run: Callable[[Broker], Any]) -> dict[str, Any]:
    started, requests = time.monotonic(), broker.requests_made()
    try:
        data = run(broker)
    except BrokerError as error:
        return _failure(error)
    return {
        "ok": True,
        "seconds": round(time.monotonic() - started, 3),
        "requests": broker.requests_made() - requests,
        "data": _data(data),
    }


def _failure(error: BrokerError) -> dict[str, Any]:
    return {
        "ok": False,
        "error": {
            "class": error.word,
            "code": error.code,
            "message": str(error),
            "sent": error.sent,
            "retry_after_seconds": error.retry_after_seconds,
        },
    }


def _data(result: Any) -> Any:
    data = plain(result)
    if isinstance(result, Quotes):
        data["rows"] = [{name: row[name] for name in _QUOTE} for row in data["rows"]]
    return data
