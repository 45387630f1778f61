"""Any table, whole or filtered, as a streamed CSV: PostgreSQL formats the rows, and memory does not grow with them.

A text that a spreadsheet would take for a formula gets an apostrophe in front. Dates are ISO 8601, times in Indian
time. A column is exported only when its type is listed here and its name does not sound like a secret: a new kind of
field stays in the database until somebody decides otherwise.
"""

import re
from collections.abc import Collection, Iterator
from typing import Any, Final

from django.conf import settings
from django.db import connection, models
from django.db.models import QuerySet

from stocks.storage.copy import CopyOut
from stocks.storage.csv_cells import escaped_sql

_TEXTS: Final = frozenset({models.CharField, models.TextField, models.EmailField, models.JSONField})
_EXPORTED: Final = _TEXTS | {
    models.AutoField,
    models.BigAutoField,
    models.BigIntegerField,
    models.BooleanField,
    models.DateField,
    models.DateTimeField,
    models.DecimalField,
    models.FloatField,
    models.ForeignKey,
    models.GenericIPAddressField,
    models.IntegerField,
    models.OneToOneField,
    models.PositiveBigIntegerField,
    models.PositiveIntegerField,
    models.PositiveSmallIntegerField,
    models.SmallIntegerField,
    models.TimeField,
    models.UUIDField,
}
"""Exactly these types, not those derived from them: an encrypted text is a text by its class."""

_SECRET_NAME: Final = re.compile(r"secret|token|passw|credential|private|payload|api_?key|session_data|(get|post)_data")
_SECRET_TABLES: Final = ("portfolio.apitoken", "sessions.")
_OF_PEOPLE: Final = frozenset(
    {"id", "username", "first_name", "last_name", "email", "is_active", "is_staff", "is_superuser"}
    | {"date_joined", "last_login"}
)


def is_exported(field: "models.Field[Any, Any]") -> bool:
    """Whether a column may leave the database in a file."""
    label = field.model._meta.label_lower
    if type(field) not in _EXPORTED or label.startswith(_SECRET_TABLES):
        return False
    if label == settings.AUTH_USER_MODEL.lower():
        return field.column in _OF_PEOPLE
    return not (type(field) in _TEXTS and _SECRET_NAME.search(field.attname))


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
    """Return a table's rows as the blocks of a CSV with a heading: the exported columns, but those in `without`.

    The filters of `rows` apply; its order does not: rows are sorted by the primary key.
    """
    model, key = rows.model, rows.model._meta.pk.column
    columns = [field.column for field in model._meta.concrete_fields if is_exported(field)]
    cells = [cell(model, column, "t") for column in columns if column not in without]
    statement = f'SELECT {", ".join(cells)} FROM "{model._meta.db_table}" t'
    parameters: tuple[Any, ...] = ()
    if rows.query.where:
        keys, parameters = rows.order_by().values("pk").query.sql_with_params()
        statement = f'{statement.replace("%", "%%")} WHERE t."{key}" IN ({keys})'
    connection.ensure_connection()
    return iter(CopyOut(connection.connection, f'{statement} ORDER BY t."{key}"', parameters))
