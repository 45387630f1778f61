"""Accounts, permissions and what people decide are audited; events, wishes and ledger are only ever added to.

What the system projects and appends is its own history: of it only what a shell writes becomes an entry.
"""

from django.db import migrations

from tradingsite.audit.triggers import ALWAYS, IN_A_SHELL, only_added_to, row_trigger, truncate_trigger

_BY_PEOPLE = {
    "trading_accounts": (),
    "account_limits": ("updated_at",),
    "traded_strategies": (),
    "plans": (),
    "live_permissions": (),
    "order_alarms": (),
    "differences": ("checked_at",),
}
_PROJECTED = {"orders": ("updated_at",), "trades": (), "positions": ("updated_at",)}
_OUR_OWN = {"order_intents": (), "order_events": (), "ledger_entries": (), "paper_venues": ("snapshot", "updated_at")}
_ONLY_ADDED_TO = {
    "order_intents": "Wish again with another order.",
    "order_events": "Record another event: the order follows.",
    "ledger_entries": "Record a correction with a reason.",
}


def _trigger(table: str, ignored: tuple[str, ...], when: str) -> str:
    return row_trigger(table, ignored=ignored, when=when)


class Migration(migrations.Migration):
    dependencies = [
        ("tradingsite", "0013_kill_switch_is_only_added_to"),
        ("portfolio", "0010_every_order_has_an_account"),
    ]

    operations = [
        migrations.RunSQL(
            [f"DROP TRIGGER audit ON {table}" for table in _PROJECTED],
            [_trigger(table, ignored, ALWAYS) for table, ignored in _PROJECTED.items()],
        ),
        migrations.RunSQL(
            [_trigger(table, ignored, IN_A_SHELL) for table, ignored in _PROJECTED.items()],
            [f"DROP TRIGGER audit ON {table}" for table in _PROJECTED],
        ),
        migrations.RunSQL(
            [
                *(_trigger(table, ignored, ALWAYS) for table, ignored in _BY_PEOPLE.items()),
                *(_trigger(table, ignored, IN_A_SHELL) for table, ignored in _OUR_OWN.items()),
                *(truncate_trigger(table) for table in (*_BY_PEOPLE, *_OUR_OWN)),
                *(only_added_to(table, remedy) for table, remedy in _ONLY_ADDED_TO.items()),
            ],
            [
                *(f"DROP TRIGGER audit ON {table}" for table in (*_BY_PEOPLE, *_OUR_OWN)),
                *(f"DROP TRIGGER audit_truncate ON {table}" for table in (*_BY_PEOPLE, *_OUR_OWN)),
                *(f"DROP TRIGGER only_added_to ON {table}" for table in _ONLY_ADDED_TO),
            ],
        ),
    ]
