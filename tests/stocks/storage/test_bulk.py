"""Bulk writes: exact values, before-images of what changes, and a rollback that restores every column."""

import numpy as np
import pandas as pd
import pytest
from django.db import connection

from stocks.models import FinancialStatement
from stocks.storage import bulk

pytestmark = pytest.mark.django_db
KEY = ("symbol", "period_end", "kind")


def statements(**columns: object) -> pd.DataFrame:
    base = {
        "symbol": ["A", "B"],
        "period_end": pd.to_datetime(["2025-03-31", "2025-03-31"]),
        "kind": ["year", "year"],
        "published_on": pd.to_datetime(["2025-06-14", "2025-06-14"]),
        "revenue": [0.1 + 0.2, np.nan],
        "published_assumed": [True, True],
        "source": ["made", 'with "quotes", commas\nand lines'],
    }
    return pd.DataFrame(base | columns)


def snapshot() -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM financial_statements ORDER BY id")
        return list(cursor.fetchall())


def test_values_arrive_exactly_and_missing_is_null() -> None:
    assert bulk.upsert("financial_statements", statements(), KEY, "run_1") == (2, 0)
    first, second = FinancialStatement.objects.order_by("symbol")
    assert first.revenue == 0.1 + 0.2
    assert second.revenue is None
    assert second.source == 'with "quotes", commas\nand lines'
    assert first.run_id == "run_1"


def test_second_write_of_the_same_rows_changes_nothing() -> None:
    bulk.upsert("financial_statements", statements(), KEY, "run_1")
    before = snapshot()
    assert bulk.upsert("financial_statements", statements(), KEY, "run_2") == (0, 0)
    assert snapshot() == before


def test_a_rollback_restores_changed_deleted_and_inserted_rows_exactly() -> None:
    bulk.upsert("financial_statements", statements(), KEY, "run_1")
    before = snapshot()
    changed = statements(symbol=["A", "C"], revenue=[5.0, 6.0])
    assert bulk.upsert("financial_statements", changed, KEY, "run_2") == (1, 1)
    assert bulk.upsert("financial_statements", statements(symbol=["A", "C"], revenue=[7.0, 8.0]), KEY, "run_2") == (
        0,
        2,
    )
    assert bulk.delete("financial_statements", "t.symbol = %s", ["B"], "run_2") == 1
    bulk.roll_back("financial_statements", "run_2")
    assert snapshot() == before


def test_update_touches_only_what_exists_and_differs() -> None:
    bulk.upsert("financial_statements", statements(), KEY, "run_1")
    frame = statements(symbol=["A", "Z"], revenue=[9.0, 9.0])[["symbol", "period_end", "kind", "revenue"]]
    assert bulk.update("financial_statements", frame, KEY, "run_2") == 1
    assert bulk.update("financial_statements", frame, KEY, "run_2") == 0
    bulk.roll_back("financial_statements", "run_2")
    assert FinancialStatement.objects.get(symbol="A").revenue == 0.1 + 0.2
