"""Orders, money and the record of the lists outlive every clean-up, and belong to no run that could be rolled back."""

from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

import pytest
from django.db import connection

from market_data.runs.saga import StepContext, sagas
from market_data.steps.upkeep import purge_expired
from tests.tables import fill_every_table

MONEY: Final = frozenset(
    {
        *("trading_accounts", "account_limits", "traded_strategies", "live_permissions", "paper_venues"),
        *("order_intents", "orders", "order_events", "order_alarms", "trades", "plans"),
        *("ledger_entries", "positions", "differences", "kill_switch", "contract_notes"),
    }
)
KEPT: Final = MONEY | {"pick_history", "pick_history_days"}


def contents() -> dict[str, list[tuple[Any, ...]]]:
    rows = {}
    with connection.cursor() as cursor:
        for table in sorted(KEPT):
            cursor.execute(f"SELECT t::text FROM {table} t ORDER BY 1")
            rows[table] = cursor.fetchall()
    return rows


@pytest.mark.django_db
def test_no_clean_up_however_late_changes_a_row_of_them(settings: Any, tmp_path: Path) -> None:
    settings.EXPORT_DIR = settings.VAR_DIR = tmp_path
    fill_every_table()
    before, statements = contents(), list[str]()
    assert all(before.values()), [table for table, rows in before.items() if not rows]

    def note(execute: Any, sql: Any, *rest: Any) -> Any:
        statements.append(str(sql))
        return execute(sql, *rest)

    removed: dict[str, Any] = {}
    context = cast(StepContext, SimpleNamespace(summarise=removed.update))
    with connection.execute_wrapper(note):
        purge_expired(context, date(2060, 1, 1))
    assert contents() == before
    changing = [sql for sql in statements if sql.startswith(("DELETE", "UPDATE", "TRUNCATE", "WITH"))]
    assert changing
    assert [sql for sql in changing for table in KEPT if f'"{table}"' in sql or f" {table}" in sql] == []


def test_no_job_writes_them_so_that_a_roll_back_leaves_them_alone() -> None:
    written = {table for saga in sagas().values() for table in (*saga.tables, *(undo.table for undo in saga.undo))}
    assert "historical_data" in written
    assert written & MONEY == set()
