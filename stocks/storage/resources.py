"""CSV exports of small tables from the admin; big ones go through `stocks.storage.export`.

A text that a spreadsheet would take for a formula gets an apostrophe in front: the library's own escaping only strips a
leading ``=``.
"""

from typing import Any

from import_export.resources import ModelResource

from stocks.models import Stock, SuggestedStock
from stocks.storage.csv_cells import escaped
from stocks.storage.export import is_exported


class SafeResource(ModelResource):
    """Exports a table without secrets and without cells that act as formulas."""

    def get_export_fields(self, selected_fields: Any = None) -> list[Any]:
        columns = {field.attname: field for field in self._meta.model._meta.concrete_fields}
        return [field for field in super().get_export_fields(selected_fields) if is_exported(columns[field.attribute])]

    def export_field(self, field: Any, instance: Any, **options: Any) -> Any:
        cell = super().export_field(field, instance, **options)
        # The library turns numbers into texts, and the minus sign of a number is no formula.
        return escaped(cell) if isinstance(field.get_value(instance), str) else cell


class StockResource(SafeResource):
    """All stocks."""

    class Meta:
        model = Stock
        exclude = ("provenance",)


class SuggestedStockResource(SafeResource):
    """Picks in force."""

    class Meta:
        model = SuggestedStock
