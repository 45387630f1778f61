"""Admin lists of tables with millions of rows, which never count, sort or scan all of them."""

from calendar import monthrange
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Final

from django.core.paginator import Paginator
from django.db import connection
from django.db.models import Min, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from unfold.views import ChangeList

COUNTED_ROWS: Final = 10_000
MAX_PAGES: Final = 200
"""For later pages the database would read and discard tens of thousands of rows; use the search by symbol or day."""


class EstimatingPaginator(Paginator):  # type: ignore[type-arg]  # not subscriptable at run time
    """Counts at most 10,001 rows; without a filter, the planner's estimate stands for a larger number."""

    @cached_property
    def count(self) -> int:
        """Return the number of rows, exact up to 10,000."""
        rows: Any = self.object_list
        if not isinstance(rows, QuerySet):
            return len(rows)
        if not rows.query.where:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass", [rows.model._meta.db_table]
                )
                estimate = int(cursor.fetchone()[0])
            if estimate > COUNTED_ROWS:
                return estimate
        return rows.order_by()[: COUNTED_ROWS + 1].count()

    @cached_property
    def num_pages(self) -> int:
        """Return the number of pages that can be opened."""
        return int(min(super().num_pages, MAX_PAGES))


class ProbedDays(QuerySet):  # type: ignore[type-arg]  # not subscriptable at run time
    """Finds the years, months and days of its rows by one probe of the index each, without reading all rows."""

    def dates(self, field_name: str, kind: Any, order: Any = "ASC") -> Any:
        """Return the first day of each year or month, or each day, that has rows."""
        periods: list[date] = []
        rest: QuerySet[Any] = self.order_by()
        while first := rest.aggregate(first=Min(field_name))["first"]:
            periods.append(first.replace(**_STARTS[kind]))
            rest = self.order_by().filter(**{f"{field_name}__gte": _next_start(first, kind)})
        return periods if order == "ASC" else periods[::-1]


_STARTS: Final[dict[str, dict[str, int]]] = {"year": {"month": 1, "day": 1}, "month": {"day": 1}, "day": {}}


def _next_start(day: date, kind: str) -> date:
    """Return the first day of the next year, month or day."""
    if kind == "year":
        return date(day.year + 1, 1, 1)
    return day + timedelta(days=monthrange(day.year, day.month)[1] - day.day + 1 if kind == "month" else 1)


class KeyedChangeList(ChangeList):  # type: ignore[misc]  # the theme has no types
    """Orders by the table's two keys only, so that an index yields a page without sorting the table."""

    def get_ordering(self, request: HttpRequest, queryset: "QuerySet[Any]") -> Sequence[str]:
        """Return an order by day and symbol; clicks on other columns are ignored."""
        symbol = self.model_admin.symbol_column
        order: dict[str, str] = {}
        for name in super().get_ordering(request, queryset):
            if name.lstrip("-") in (self.model_admin.date_hierarchy, symbol):
                order.setdefault(name.lstrip("-"), name)
        direction = "-" if next(iter(order.values()), "").startswith("-") else ""
        order.setdefault(symbol, direction + symbol)
        return [*order.values(), *self.model_admin.ordering[2:]]
