"""Orders, trades and positions of an earlier version get an account each person and broker; statuses get new names."""

from typing import Any
from zoneinfo import ZoneInfo

from django.db import migrations

_IST = ZoneInfo("Asia/Kolkata")
_STATES = {"new": "created", "sent": "sending", "partial": "partly_filled"}


def _account(apps: Any, alias: str, user: int, broker: str) -> Any:
    """A paper account, whatever the broker: nothing of an earlier version was ever sent to one."""
    accounts = apps.get_model("portfolio", "TradingAccount").objects.using(alias)
    charges = broker if broker in ("fyers", "zerodha") else "zerodha"
    account, _ = accounts.get_or_create(
        owner_id=user, name=f"Earlier ({broker})"[:100], kind="paper", broker="simulator", charges_of=charges
    )
    return account


def give_accounts(apps: Any, schema_editor: Any) -> None:
    alias = schema_editor.connection.alias
    for order in apps.get_model("portfolio", "Order").objects.using(alias).filter(account=None):
        order.account = _account(apps, alias, order.user_id, order.broker)
        order.session = order.created_at.astimezone(_IST).date()
        order.status = _STATES.get(order.status, order.status)
        order.save(update_fields=["account", "session", "status"])
    for trade in apps.get_model("portfolio", "Trade").objects.using(alias).filter(account=None).select_related("order"):
        trade.account, trade.date = trade.order.account, trade.traded_at.astimezone(_IST).date()
        trade.save(update_fields=["account", "date"])
    for position in apps.get_model("portfolio", "Position").objects.using(alias).filter(account=None):
        position.account = _account(apps, alias, position.user_id, position.broker)
        position.save(update_fields=["account"])


class Migration(migrations.Migration):
    dependencies = [("portfolio", "0008_accounts_events_ledger_and_plans")]
    operations = [migrations.RunPython(give_accounts, migrations.RunPython.noop)]
