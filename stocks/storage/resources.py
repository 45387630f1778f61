"""What the admin can hand out as CSV. Big tables go through `stocks.storage.export` instead.

A text that a spreadsheet would take for a formula gets an apostrophe in front; the library's own escaping only strips a
leading ``=``.
"""

from typing import Any

from import_export.resources import ModelResource

from stocks.models import Stock, SuggestedStock
from stocks.storage.csv_cells import escaped


class SafeResource(ModelResource):
    """Rows of a table with no cell that acts as a formula."""

    def export_field(self, field: Any, instance: Any, **options: Any) -> Any:
        """Return one cell."""
        cell = super().export_field(field, instance, **options)
        # The library turns numbers into texts; a minus sign before a number is no formula.
        if isinstance(field.get_value(instance), str):
            return escaped(cell)
        return cell


class StockResource(SafeResource):
    """All stocks."""

    class Meta:
        model = Stock
        exclude = ("provenance",)


class SuggestedStockResource(SafeResource):
    """Picks in force."""

    class Meta:
        model = SuggestedStock
