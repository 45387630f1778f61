"""Columns of amounts."""

from typing import Any

from django.db import models


def money(help_text: str, *, null: bool = False) -> "models.DecimalField[Any, Any]":
    """An exact amount column; `help_text` names its unit."""
    return models.DecimalField(max_digits=18, decimal_places=4, null=null, blank=null, help_text=help_text)
