"""Dataclasses as plain data for JSON, and back by their types; pure."""

import types
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, TypeVar, get_args, get_origin, get_type_hints

from brokers.protocol import IST

Kind = TypeVar("Kind")

_READERS: Final[dict[type, Callable[[Any], Any]]] = {
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
    Decimal: Decimal,
}


def plain(value: Any) -> Any:
    """Objects, lists, numbers and texts alone: money as text, moments in IST in ISO format, sets in order."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, datetime):
        return value.astimezone(IST).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, StrEnum):
        return value.value
    return f"{value:f}" if isinstance(value, Decimal) else value


def restored(kind: type[Kind], content: Any) -> Kind:
    """Rebuild what `plain` made of a dataclass; raises ValueError, KeyError or TypeError for anything else."""
    hints = get_type_hints(kind)
    return kind(**{field.name: _value(hints[field.name], content[field.name]) for field in fields(kind)})  # type: ignore[arg-type]


def _value(kind: Any, content: Any) -> Any:
    if isinstance(kind, types.UnionType):  # only `X | None` occurs
        return None if content is None else _value(get_args(kind)[0], content)
    if get_origin(kind) is list:
        return [_value(get_args(kind)[0], item) for item in content]
    if get_origin(kind) is dict:
        return {key: _value(get_args(kind)[1], item) for key, item in content.items()}
    if is_dataclass(kind) and isinstance(kind, type):
        return restored(kind, content)
    if kind in _READERS:
        return _READERS[kind](content)
    if issubclass(kind, StrEnum):
        return kind(content)
    if not isinstance(content, kind):
        raise TypeError(f"{content!r} is no {kind.__name__}")
    return content
