"""How the server would answer the statements of a test: the plans of those that read the big tables."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection

BIG_TABLES = {"historical_data", "technical_indicators", "stock_metrics", "daily_suggested_stocks"}


class Plans:
    """What was asked meanwhile, and the scans of whole big tables that it would come to."""

    def __init__(self) -> None:
        self.statements = 0
        self.scans: list[str] = []

    def look_at(self, statement: str) -> None:
        """Ask the server how it would answer."""
        self.statements += 1
        with psycopg.ClientCursor(connection.connection) as cursor:
            # A table of a test is so small that reading all of it would be the best plan.
            cursor.execute("SET enable_seqscan = off")
            cursor.execute(f"EXPLAIN (FORMAT json) {statement}")
            row: Any = cursor.fetchone()
            cursor.execute("RESET enable_seqscan")
        plan = row[0] if isinstance(row[0], list) else json.loads(row[0])
        self.scans += [f"{table}: {statement}" for table in _scanned(plan[0]["Plan"])]


def _scanned(node: dict[str, Any]) -> Iterator[str]:
    whole = node["Node Type"] == "Seq Scan" or (
        # Walking a whole index is no better.
        node["Node Type"] in ("Index Scan", "Index Only Scan") and "Index Cond" not in node
    )
    if whole and node.get("Relation Name") in BIG_TABLES:
        yield node["Relation Name"]
    for child in node.get("Plans", ()):
        yield from _scanned(child)


@contextmanager
def scanned() -> Iterator[Plans]:
    """Collect the SELECT statements that go through Django and through COPY, and look at their plans at the end."""
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
    for statement in queries:
        plans.look_at(statement)
