"""HTML tables for the admin: figures with unit and provenance, and the picks of a publication."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.db import models
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

_ROW = "<tr class='{}'><th scope='row'>{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>"
_HEAD = ("Figure", "Value", "Unit", "Source", "As of", "How")
_NOT_FIGURES = frozenset(("id", "symbol", "date", "provenance", "run_id", "created_at", "tradable", "exclusion"))


def figures_table(row: models.Model) -> SafeString:
    """Return a table of the figures of a row of `stocks` or `stock_metrics`, each with its unit and provenance."""
    origins: dict[str, dict[str, Any]] = getattr(row, "provenance", None) or {}
    fields = [field for field in row._meta.concrete_fields if field.name not in _NOT_FIGURES]
    cells = [_cells(row, field, origins.get(field.name) or {}) for field in fields]
    return _table("Figures and their sources", _HEAD, format_html_join("", _ROW, cells), "figures sources")


def picks_table(picks: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> SafeString:
    """Return a table of some columns of a publication's picks."""
    cells = (tuple("–" if pick.get(name) is None else _formatted(pick[name]) for name in columns) for pick in picks)
    row = f"<tr>{'<td>{}</td>' * len(columns)}</tr>"
    return _table("Picks", [figure_words(name) for name in columns], format_html_join("", row, cells))


def _table(label: str, head: Iterable[str], rows: SafeString, css_class: str = "figures") -> SafeString:
    return format_html(
        "<div class='{}' tabindex='0' role='region' aria-label='{}'><table><thead><tr>{}</tr></thead>"
        "<tbody>{}</tbody></table></div>",
        css_class,
        label,
        format_html_join("", "<th scope='col'>{}</th>", ((name,) for name in head)),
        rows,
    )


_WORDS = {"pe": "P/E", "pb": "P/B", "peg": "PEG", "roe": "ROE", "roa": "ROA", "eps": "EPS", "ml": "ML", "isin": "ISIN"}
_WORDS |= {"rsi": "RSI", "sma": "SMA", "30d": "30 sessions"}


def figure_words(name: str) -> str:
    """The name of a column as a label: P/E, ROE, Average volume 30 sessions."""
    text = " ".join(_WORDS.get(word, word) for word in name.split("_"))
    for ratio in ("P/E", "P/B", "PEG"):
        text = text.replace(f"{ratio} ratio", ratio)
    text = text.replace("avg ", "average ")
    return text[0].upper() + text[1:]


def _cells(row: models.Model, field: "models.Field[Any, Any]", origin: dict[str, Any]) -> tuple[str, ...]:
    value = getattr(row, field.attname)
    is_known = value is not None and value != ""
    provenance = (str(origin.get(name) or "–") for name in ("source", "as_of", "how"))
    css_class = "" if is_known else "figures-unknown"
    text = _formatted(value) if is_known else "not known"
    return (css_class, figure_words(field.name), text, str(field.help_text), *provenance)


def _formatted(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, float | int):
        return f"{value:%Y-%m-%d}" if isinstance(value, date | datetime) else str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}" if abs(value) < 1e5 else f"{value:,.2f}"
