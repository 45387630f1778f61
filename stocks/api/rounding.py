"""Answers whose figures are rounded by the units that their description names."""

from typing import Any

from rest_framework import serializers

from stocks.units import rounded, unit_of


def rounded_answer(answer: serializers.BaseSerializer[Any], body: Any) -> Any:
    """A body described by a serializer, every float rounded by the unit at the beginning of its help text."""
    if isinstance(answer, serializers.ListSerializer):
        rows: Any = answer.child
        return [rounded_answer(rows, row) for row in body]
    if not isinstance(answer, serializers.Serializer) or body is None:
        return body
    fields = dict(answer.fields.items())
    return {key: _rounded(key, fields.get(key), value) for key, value in body.items()}


def _rounded(key: str, field: Any, value: Any) -> Any:
    if isinstance(field, serializers.FloatField) and isinstance(value, float):
        unit = unit_of(key, str(field.help_text or ""))
        return rounded(value, unit) if unit else value
    return rounded_answer(field, value) if isinstance(field, serializers.BaseSerializer) else value
