"""Lists of tables of millions of rows: nothing counts, sorts or lists the days of all of them."""

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
PAGES_AT_MOST: Final = 200
"""Beyond so many pages the database would read and drop tens of thousands of rows for one page; who looks for something
searches for its symbol or day."""


class EstimatingPaginator(Paginator):  # type: ignore[type-arg]  # not subscriptable at run time
    """Pages of a table that may hold millions of rows, without counting them.

    Without a filter the planner's estimate stands for the number of rows; with one, at most 10,001 are counted.
    """

    @cached_property
    def count(self) -> int:
        """Return the number of rows, exact up to 10,000."""
        found: Any = self.object_list
        if not isinstance(found, QuerySet):
            return len(found)
        if not found.query.where:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass", [found.model._meta.db_table]
                )
                estimate = int(cursor.fetchone()[0])
            if estimate > COUNTED_ROWS:
                return estimate
        return found.order_by()[: COUNTED_ROWS + 1].count()

    @cached_property
    def num_pages(self) -> int:
        """Return the number of pages that can be leafed through."""
        return int(min(super().num_pages, PAGES_AT_MOST))


class ProbedDays(QuerySet):  # type: ignore[type-arg]  # not subscriptable at run time
    """Rows whose years, months and days are found by one probe of the index each, not by reading them all."""

    def dates(self, field_name: str, kind: Any, order: Any = "ASC") -> Any:
        """Return the first day of each year or month, or each day, that has rows."""
        found: list[date] = []
        rest: QuerySet[Any] = self.order_by()
        while first := rest.aggregate(first=Min(field_name))["first"]:
            found.append(first.replace(**_STARTS[kind]))
            rest = self.order_by().filter(**{f"{field_name}__gte": _after(first, kind)})
        return found if order == "ASC" else found[::-1]


_STARTS: Final[dict[str, dict[str, int]]] = {"year": {"month": 1, "day": 1}, "month": {"day": 1}, "day": {}}


def _after(day: date, kind: str) -> date:
    """Return the first day of the year, month or day after that of a day."""
    if kind == "year":
        return date(day.year + 1, 1, 1)
    return day + timedelta(days=monthrange(day.year, day.month)[1] - day.day + 1 if kind == "month" else 1)


class KeyedChangeList(ChangeList):  # type: ignore[misc]  # the theme has no types
    """A list in the order of the table's two keys, so that an index gives a page without sorting the table."""

    def get_ordering(self, request: HttpRequest, queryset: "QuerySet[Any]") -> Sequence[str]:
        """Return day and symbol, which find every row; another column would mean to sort all of the table."""
        symbol = self.model_admin.symbol_column
        chosen: dict[str, str] = {}
        for name in super().get_ordering(request, queryset):
            if name.lstrip("-") in (self.model_admin.date_hierarchy, symbol):
                chosen.setdefault(name.lstrip("-"), name)
        direction = "-" if next(iter(chosen.values()), "").startswith("-") else ""
        chosen.setdefault(symbol, direction + symbol)
        return [*chosen.values(), *self.model_admin.ordering[2:]]
