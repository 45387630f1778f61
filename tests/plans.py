"""Query plans of a test's statements: which of them scan a whole big table."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection, transaction

BIG_TABLES = {"historical_data", "technical_indicators", "stock_metrics", "daily_suggested_stocks"}


class Plans:
    """The number of SELECT statements, and those that would scan a whole big table."""

    def __init__(self) -> None:
        self.statements = 0
        self.scans: list[str] = []

    def explain(self, statement: str) -> None:
        self.statements += 1
        with psycopg.ClientCursor(connection.connection) as cursor:
            # A test's tables are so small that a full scan, or a join of whole indexes, would often be the best plan;
            # which one depends on when the server last analyzed them.
            cursor.execute("SET enable_seqscan = off; SET enable_mergejoin = off; SET enable_hashjoin = off")
            cursor.execute(f"EXPLAIN (FORMAT json) {statement}")
            row: Any = cursor.fetchone()
            cursor.execute("RESET enable_seqscan; RESET enable_mergejoin; RESET enable_hashjoin")
        plan = row[0] if isinstance(row[0], list) else json.loads(row[0])
        self.scans += [f"{table}: {statement}" for table in _scanned_tables(plan[0]["Plan"])]


def _scanned_tables(node: dict[str, Any]) -> Iterator[str]:
    is_full_scan = node["Node Type"] == "Seq Scan" or (
        # Reading a whole index is no better.
        node["Node Type"] in ("Index Scan", "Index Only Scan") and "Index Cond" not in node
    )
    if is_full_scan and node.get("Relation Name") in BIG_TABLES:
        yield node["Relation Name"]
    for child in node.get("Plans", ()):
        yield from _scanned_tables(child)


@contextmanager
def captured_plans() -> Iterator[Plans]:
    """Collect the SELECT statements executed through Django and COPY, and explain them after the block."""
    plans, queries = Plans(), []

    def remember(execute, sql, params, many, context):
        if sql.lstrip().upper().startswith(("SELECT", "WITH")):
            queries.append(psycopg.ClientCursor(connection.connection).mogrify(sql, params))
        return execute(sql, params, many, context)

    def remember_copy(self, statement, params=None, **options):
        text = self.mogrify(statement, params)
        queries.append(text.removeprefix("COPY (").rpartition(") TO STDOUT")[0])
        return copy(self, statement, params, **options)

    copy = psycopg.ClientCursor.copy
    psycopg.ClientCursor.copy = remember_copy  # type: ignore[method-assign]
    try:
        with connection.execute_wrapper(remember):
            yield plans
    finally:
        psycopg.ClientCursor.copy = copy  # type: ignore[method-assign]
    with transaction.atomic(), connection.cursor() as cursor:
        # Let the planner take them for big; rolled back, because later tests read these estimates.
        cursor.execute(
            "UPDATE pg_class SET relpages = 1, reltuples = 1e6 WHERE relname = ANY(%s) AND relkind = 'r'",
            [sorted(BIG_TABLES)],
        )
        for statement in queries:
            plans.explain(statement)
        transaction.set_rollback(True)
