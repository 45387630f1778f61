"""Texts in CSV cells that a spreadsheet would take for a formula: the one rule for writing and for reading them."""

from typing import Any, Final

FORMULA_STARTS: Final = "=+@\t\r\n-"
"""First characters of such texts; the hyphen is last because they also form a regular expression's class."""


def is_formula(text: str) -> bool:
    return text.startswith(tuple(FORMULA_STARTS))


def escaped(value: Any) -> Any:
    """Return the value, with an apostrophe before a text that begins like a formula; numbers stay numbers.

    A text that begins with apostrophes and then like a formula gets one more, so that `unescaped` gives each text back.
    """
    return f"'{value}" if isinstance(value, str) and is_formula(value.lstrip("'")) else value


def unescaped(text: str) -> str:
    """Return the text of a cell that `escaped` wrote."""
    return text[1:] if text.startswith("'") and is_formula(text.lstrip("'")) else text


def escaped_sql(expression: str) -> str:
    """Return the SQL expression that does the same as `escaped` to a text."""
    return f"CASE WHEN {expression} ~ '^''*[{FORMULA_STARTS}]' THEN '''' || {expression} ELSE {expression} END"
