"""Figures in the admin: rounded by their unit, in Indian grouping, right-aligned, the unit in the heading."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final, TypeAlias

from django.contrib import admin
from django.db import models

from stocks.units import COUNT, Unit, figure_text, unit_of

Field: TypeAlias = "models.Field[Any, Any]"
Column = Callable[[models.Model], str | None]

_NAMES: Final = frozenset({"year", "mtime_ns"})
"""Whole numbers that name something: they are not grouped."""

_WORDS = {"pe": "P/E", "pb": "P/B", "peg": "PEG", "roe": "ROE", "roa": "ROA", "eps": "EPS", "ml": "ML", "isin": "ISIN"}
_WORDS |= {"rsi": "RSI", "sma": "SMA", "macd": "MACD", "atr": "ATR", "30d": "30 sessions"}


def figure_words(name: str) -> str:
    """The name of a column as a label: P/E, ROE, Average volume 30 sessions."""
    text = " ".join(_WORDS.get(word, word) for word in name.split("_"))
    for ratio in ("P/E", "P/B", "PEG"):
        text = text.replace(f"{ratio} ratio", ratio)
    text = text.replace("avg ", "average ")
    return text[0].upper() + text[1:]


def figure_unit(field: Field) -> Unit | None:
    """The unit that a column is shown in; None for one that is no figure."""
    if isinstance(field, models.FloatField | models.DecimalField):
        return unit_of(field.name, str(field.help_text))
    is_count = isinstance(field, models.IntegerField) and not isinstance(field, models.AutoField)
    return COUNT if is_count and not field.choices and field.name not in _NAMES else None


def with_figures(model: type[models.Model], columns: Sequence[Any]) -> list[Any]:
    """Columns of an admin's list or form; those of figures become what shows them to people."""
    fields = {field.name: field for field in model._meta.concrete_fields}
    return [_column(fields[name]) if name in fields and figure_unit(fields[name]) else name for name in columns]


@cache
def _column(field: Field) -> Column:
    unit = figure_unit(field)
    words = unit.words if unit else ""

    @admin.display(description=", ".join(filter(None, (figure_words(field.name), words))), ordering=field.name)
    def figure(row: models.Model) -> str | None:
        value = getattr(row, field.attname)
        return value if value is None or unit is None else figure_text(value, unit)

    figure.__name__ = f"figure_{field.name}"
    return figure
