"""People with a row of each owned table, and texts that only they may read."""

from typing import Any, NamedTuple

from django.contrib.auth.models import Group
from django_q.models import OrmQ, Schedule

from brokers.accounts import account_of, store_secrets
from brokers.files.contract_notes import LINES
from brokers.models import BrokerConfiguration, ImportedNote
from portfolio.models import ApiToken, Order, Position, Strategy, Trade, User
from tests.accounts import A_FILL, AN_ORDER, paper_account
from tests.tables import NOW
from tests.tokens import token_key

SECRET = "topsecret-of-the-broker"
OWNED = (BrokerConfiguration, ImportedNote, Strategy, Order, Trade, Position, ApiToken)
NO_FILLS: dict[str, Any] = {"fills": [], "differing": 0}


class Owner(NamedTuple):
    """A person, a row of each owned table by its key in the admin, and texts that only that person may read."""

    user: User
    keys: dict[type[Any], int]
    marks: tuple[str, ...]


def owner_named(name: str, **rights: Any) -> Owner:
    user = User.objects.create_user(name, password=f"long-{name}-password", **rights)
    mark = name.upper()
    strategy = Strategy.objects.create(owner=user, name=f"{mark}-IDEA", kind="growth")
    book = paper_account(user, f"{mark}-ACCOUNT")
    order = Order.objects.create(user=user, strategy=strategy, account=book, **AN_ORDER | {"symbol": f"{mark}-ORDER"})
    trade = Trade.objects.create(
        order=order, account=book, date=NOW.date(), **A_FILL | {"broker_trade_id": f"{mark}-TRADE"}
    )
    position = Position.objects.create(account=book, symbol=f"{mark}-HOLDING", product="cnc", quantity=1)
    account = account_of("fyers", user)
    store_secrets(account, client_id=f"{mark}-CLIENT", api_secret=SECRET)
    lines = dict.fromkeys(LINES, "0.00")
    note = ImportedNote.objects.create(
        user=user, broker="fyers", session=NOW.date(), number=f"{mark}-NOTE", stated=lines, computed=lines, **NO_FILLS
    )
    key = token_key(user)
    token = ApiToken.objects.get(user=user)
    keys = {Strategy: strategy.pk, Order: order.pk, Trade: trade.pk, Position: position.pk}
    keys |= {BrokerConfiguration: account.pk, ImportedNote: note.pk, ApiToken: token.pk}
    marks = [f"{mark}-{row}" for row in ("IDEA", "ORDER", "TRADE", "HOLDING", "CLIENT", "NOTE")]
    return Owner(user, keys, (*marks, key, key[:8], SECRET))


class World(NamedTuple):
    """A superuser, a member of staff and a trader, each with rows, and what belongs to nobody."""

    root: Owner
    clerk: Owner
    trader: Owner
    group: Group
    schedule: Schedule


def make_world() -> World:
    """Make them."""
    group = Group.objects.create(name="Operators")
    schedule = Schedule.objects.create(
        name="x", func="market_data.tasks.heartbeat", schedule_type="C", cron="0 0 * * *"
    )
    OrmQ.objects.create(key="data", payload="x", lock=NOW)
    root = owner_named("root", is_staff=True, is_superuser=True)
    return World(root, owner_named("clerk", is_staff=True), owner_named("trader"), group, schedule)


def base(model: type[Any]) -> str:
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}"
