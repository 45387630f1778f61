"""Any table, whole or filtered, as a streamed CSV: PostgreSQL formats the rows, and memory does not grow with them.

A text that a spreadsheet would take for a formula gets an apostrophe in front. Dates are ISO 8601, times in Indian
time.
"""

from collections.abc import Collection, Iterator
from typing import Any, Final

from django.db import connection, models
from django.db.models import QuerySet

from stocks.storage.copy import CopyOut
from stocks.storage.csv_cells import escaped_sql

SECRET_COLUMNS: Final = frozenset(
    ("password", "api_secret", "access_token", "payload", "content", "get_data", "post_data")
)
"""Columns that are never exported."""


def cell(model: type[models.Model], column: str, table: str) -> str:
    """Return the SQL expression of one cell: times as ISO 8601 in Indian time, texts without formulas."""
    field = next(field for field in model._meta.concrete_fields if field.column == column)
    name = f'{table}."{column}"'
    if isinstance(field, models.DateTimeField):
        moment = f"{name} AT TIME ZONE 'Asia/Kolkata'"
        return f'to_char({moment}, \'YYYY-MM-DD"T"HH24:MI:SS.US+05:30\') AS "{column}"'
    text = field.target_field if isinstance(field, models.ForeignKey) else field
    if isinstance(text, models.CharField | models.TextField):
        return f'{escaped_sql(name)} AS "{column}"'
    return name


def csv_blocks(rows: "QuerySet[Any]", without: Collection[str] = ()) -> Iterator[bytes]:
    """Return a table's rows as the blocks of a CSV with a heading, without some columns and `SECRET_COLUMNS`.

    The filters of `rows` apply; its order does not: rows are sorted by the primary key.
    """
    model, key = rows.model, rows.model._meta.pk.column
    hidden = {*SECRET_COLUMNS, *without}
    cells = [cell(model, field.column, "t") for field in model._meta.concrete_fields if field.column not in hidden]
    statement = f'SELECT {", ".join(cells)} FROM "{model._meta.db_table}" t'
    parameters: tuple[Any, ...] = ()
    if rows.query.where:
        keys, parameters = rows.order_by().values("pk").query.sql_with_params()
        statement = f'{statement.replace("%", "%%")} WHERE t."{key}" IN ({keys})'
    connection.ensure_connection()
    return iter(CopyOut(connection.connection, f'{statement} ORDER BY t."{key}"', parameters))
