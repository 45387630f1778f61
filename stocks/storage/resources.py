"""CSV exports of small tables from the admin; big ones go through `stocks.storage.export`.

A text that a spreadsheet would take for a formula gets an apostrophe in front: the library's own escaping only strips a
leading ``=``.
"""

from typing import Any

from import_export.resources import ModelResource

from stocks.models import Stock, SuggestedStock
from stocks.storage.csv_cells import escaped


class SafeResource(ModelResource):
    """Exports a table without cells that act as formulas."""

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
