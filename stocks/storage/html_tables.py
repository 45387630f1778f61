"""HTML tables for the admin: figures with unit and provenance, and the picks of a publication."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from django.db import models
from django.utils.formats import localize
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from stocks.models import SuggestedStock
from stocks.storage.figure_columns import figure_unit, figure_words
from stocks.units import Unit, figure_text

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
    fields = {field.name: field for field in SuggestedStock._meta.concrete_fields}
    units = {name: figure_unit(fields[name]) if name in fields else None for name in columns}
    cells = (
        tuple("–" if pick.get(name) is None else _shown(pick[name], units[name]) for name in columns) for pick in picks
    )
    row = "<tr>{}</tr>".format("".join(f"<td{' class=figure' if units[name] else ''}>{{}}</td>" for name in columns))
    return _table("Picks", [_heading(name, units[name]) for name in columns], format_html_join("", row, cells))


def _heading(name: str, unit: Unit | None) -> str:
    return ", ".join(filter(None, (figure_words(name), unit.words if unit else "")))


def _table(label: str, head: Iterable[str], rows: SafeString, css_class: str = "figures") -> SafeString:
    return format_html(
        "<div class='{}' tabindex='0' role='region' aria-label='{}'><table><thead><tr>{}</tr></thead>"
        "<tbody>{}</tbody></table></div>",
        css_class,
        label,
        format_html_join("", "<th scope='col'>{}</th>", ((name,) for name in head)),
        rows,
    )


def _cells(row: models.Model, field: "models.Field[Any, Any]", origin: dict[str, Any]) -> tuple[str, ...]:
    value = getattr(row, field.attname)
    is_known = value is not None and value != ""
    provenance = (str(origin.get(name) or "–") for name in ("source", "as_of", "how"))
    css_class = "" if is_known else "figures-unknown"
    text = _shown(value, figure_unit(field)) if is_known else "not known"
    return (css_class, figure_words(field.name), text, str(field.help_text), *provenance)


def _shown(value: Any, unit: Unit | None) -> str:
    if unit:
        return figure_text(value, unit)
    return str(localize(value)) if isinstance(value, date) else str(value)
