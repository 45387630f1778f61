"""Accounts, orders and fills of tests."""

from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from brokers.models import BrokerConfiguration
from portfolio.models import TradingAccount, User

IST: Final = ZoneInfo("Asia/Kolkata")
DAY: Final = date(2026, 2, 2)
AN_ORDER: Final[dict[str, Any]] = {
    "session": DAY,
    "symbol": "AAA",
    "side": "buy",
    "quantity": 1,
    "order_type": "market",
    "product": "cnc",
    "broker": "simulator",
}
A_FILL: Final[dict[str, Any]] = {
    "broker": "simulator",
    "broker_trade_id": "1",
    "quantity": 1,
    "price": 10,
    "traded_at": datetime(2026, 2, 2, 9, 15, tzinfo=IST),
}


def paper_account(owner: User, name: str = "Paper") -> TradingAccount:
    """A person's paper account, made where there is none."""
    kind = {"kind": "paper", "broker": "simulator", "charges_of": "zerodha"}
    account, _ = TradingAccount.objects.get_or_create(owner=owner, name=name, defaults=kind)
    return account


def live_account(owner: User, name: str = "Real") -> TradingAccount:
    """A person's account at Zerodha, with real money; of an installation that may trade live see `may_trade_live`."""
    access, _ = BrokerConfiguration.objects.get_or_create(
        user=owner,
        broker="zerodha",
        defaults={"client_id": "AB1234", "app_key": "key", "is_active": True, "registered_ips": ["203.0.113.7"]},
    )
    kind = {"kind": "live", "broker": "zerodha", "charges_of": "zerodha", "configuration": access}
    account, _ = TradingAccount.objects.get_or_create(owner=owner, name=name, defaults=kind)
    return account


def may_trade_live(settings: Any) -> None:
    """Let the installation of a test be one that may trade live."""
    settings.DEBUG, settings.PROVIDER_KIND = False, "real"
    settings.SECRET_KEY, settings.CREDENTIAL_KEYS = "of its own " * 5, ["another of its own " * 3]
