"""The universe, its facts and the picks in the admin, and the two kinds of admin that all apps build on.

A table that a writer module owns is only shown: changing it here would bypass the writer's checks and its undo.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, TypeVar, cast

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from import_export.admin import ExportMixin
from import_export.formats.base_formats import CSV, JSON
from unfold.admin import ModelAdmin
from unfold.contrib.import_export.forms import ExportForm
from unfold.decorators import display

from stocks.models import (
    ExchangeFact,
    FinancialStatement,
    FundamentalSnapshot,
    Publication,
    Stock,
    StockMetrics,
    SuggestedStock,
    SymbolChange,
)
from stocks.storage.admin_lists import EstimatingPaginator as EstimatingPaginator
from stocks.storage.admin_lists import KeyedChangeList, ProbedDays
from stocks.storage.export import csv_blocks
from stocks.storage.figures_shown import figures_table, picks_table
from stocks.storage.resources import StockResource, SuggestedStockResource

logger = logging.getLogger(__name__)
Method = TypeVar("Method", bound=Callable[..., Any])


def coloured(column: str, colours: Mapping[str, str]) -> Callable[[Method], Method]:
    """Return the decorator of a list column that shows (value, label) as a coloured label."""
    return cast("Callable[[Method], Method]", display(description=column, ordering=column, label=dict(colours)))


class StreamedExport(ModelAdmin):
    """Hands a table out as CSV, as it is filtered in its list and whatever its size."""

    change_list_template = "stocks/change_list.html"
    import_kind = ""
    export_left_out: tuple[str, ...] = ()

    def get_urls(self) -> list[URLPattern]:
        """Add the file's address."""
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        inherited: list[URLPattern] = super().get_urls()
        return [path("export/", self.admin_site.admin_view(self.export_table), name=name), *inherited]

    def export_table(self, request: HttpRequest) -> StreamingHttpResponse | HttpResponse:
        """Return the rows that the list's filters leave."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = self.get_changelist_instance(request).queryset
        table = self.opts.db_table
        logger.info("table handed out", extra={"table": table, "by": request.user.get_username()})
        blocks = csv_blocks(rows, self.export_left_out)
        headers = {"Content-Disposition": f'attachment; filename="{table}.csv"'}
        return StreamingHttpResponse(blocks, content_type="text/csv; charset=utf-8", headers=headers)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Offer the file, and the import of such a file where there is one."""
        more = {"has_export_permission": self.has_view_permission(request), **(extra_context or {})}
        if self.import_kind and request.user.has_perm("market_data.add_importedfile"):
            more["import_kind"] = self.import_kind
        return super().changelist_view(request, more)


class TableAdmin(StreamedExport):
    """A table in the admin, cheap to open at any size."""

    paginator = EstimatingPaginator
    show_full_result_count = False
    list_per_page = 50


class ReadOnlyAdmin(TableAdmin):
    """A table that is only shown, because a writer module owns it."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Return False."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Return False."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Return False."""
        return False


class DatedAdmin(ReadOnlyAdmin):
    """A table of one row a symbol and session, of any size: found by its two indexes, never by scanning texts."""

    ordering: tuple[str, ...] = ("-date", "symbol_id")
    """Day, symbol, and what tells the rows of one day and symbol apart."""

    search_fields = ("symbol",)
    search_help_text = "A symbol, a date such as 2026-04-30, or both"
    list_select_related = False
    date_hierarchy = "date"
    sortable_by: tuple[str, ...] = ("ticker", "symbol", "date")
    symbol_column = "symbol_id"

    def get_changelist(self, request: HttpRequest, **_: Any) -> type[KeyedChangeList]:
        """Return the list that sorts by the keys alone."""
        return KeyedChangeList

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        """Return rows whose days are probed for."""
        return ProbedDays(self.model).order_by(*self.ordering)

    @admin.display(description="symbol", ordering="symbol_id")
    def ticker(self, row: Any) -> str:
        """Return the symbol without reading the stock's row."""
        return str(getattr(row, self.symbol_column))

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Any]", search_term: str
    ) -> "tuple[QuerySet[Any], bool]":
        """Look each word up as a date or as a symbol."""
        for word in search_term.split():
            try:
                queryset = queryset.filter(**{self.date_hierarchy: date.fromisoformat(word)})
            except ValueError:
                queryset = queryset.filter(**{self.symbol_column: word.upper()})
        return queryset, False


class FiguresAdmin(ReadOnlyAdmin):
    """Rows of figures, each shown with its source."""

    readonly_fields: tuple[str, ...] = ("figures",)

    class Media:
        css = {"all": ("stocks/figures.css",)}

    @admin.display(description="figures and where they came from")
    def figures(self, row: Model) -> SafeString:
        """Return the figures' table."""
        return figures_table(row)


class ExportAdmin(ExportMixin):
    """Lets a person choose columns, and CSV or JSON; for tables of thousands of rows, which it holds in memory."""

    import_export_change_list_template = "stocks/change_list.html"
    export_form_class = ExportForm
    formats = (CSV, JSON)

    def get_export_formats(self) -> list[type[Any]]:
        """Return the formats offered."""
        return list(self.formats)


@admin.register(Stock)
class StockAdmin(ExportAdmin, FiguresAdmin):
    """The universe."""

    fields = ("symbol", "figures", "run_id", "created_at")

    import_kind = "index_members"
    resource_classes = (StockResource,)
    list_display = (
        "symbol",
        "stock_name",
        "kind",
        "series",
        "current_price",
        "market_cap",
        "pe_ratio",
        "sector",
        "last_seen",
    )
    list_filter = ("kind", "series", "market_cap_category", "sector")
    search_fields = ("symbol", "stock_name", "isin")


@admin.register(SymbolChange)
class SymbolChangeAdmin(ReadOnlyAdmin):
    """Proven renamings."""

    list_display = ("from_symbol", "to_symbol", "date", "proof")
    list_filter = ("proof",)
    search_fields = ("from_symbol", "to_symbol")
    date_hierarchy = "date"


@admin.register(StockMetrics)
class StockMetricsAdmin(FiguresAdmin, DatedAdmin):
    """Dated facts."""

    fields = ("symbol", "date", "tradable", "exclusion", "figures", "run_id", "created_at")

    list_display = (
        "ticker",
        "date",
        "current_price",
        "market_cap",
        "pe_ratio",
        "turnover_median_20",
        "tradable",
        "exclusion",
    )
    list_filter = ("tradable",)


@admin.register(FinancialStatement)
class FinancialStatementAdmin(DatedAdmin):
    """Reported figures, each usable from its day of publication on."""

    import_kind = "financial_statements"
    date_hierarchy = "period_end"
    symbol_column = "symbol"
    ordering = ("-period_end", "symbol", "kind")
    sortable_by = ("symbol", "period_end")
    list_display = (
        "symbol",
        "kind",
        "period_end",
        "published_on",
        "published_assumed",
        "revenue",
        "net_income",
        "eps",
        "source",
    )
    list_filter = ("kind", "published_assumed")


@admin.register(FundamentalSnapshot)
class FundamentalSnapshotAdmin(DatedAdmin):
    """Evenings of a public screener."""

    import_kind = "fundamentals"
    date_hierarchy = "snapshot"
    symbol_column = "symbol"
    ordering = ("-snapshot", "symbol")
    sortable_by = ("symbol", "snapshot")
    list_display = ("symbol", "snapshot", "stock_name", "sector", "market_cap", "pe_ratio", "roe", "results_date")


@admin.register(ExchangeFact)
class ExchangeFactAdmin(DatedAdmin):
    """The exchange's own figures."""

    symbol_column = "symbol"
    ordering = ("-date", "symbol")
    list_display = ("symbol", "date", "issue_size", "market_cap", "pe_ratio", "source")


_SHOWN_OF_A_PICK = (
    "rank",
    "symbol",
    "current_price",
    "target_price",
    "stop_loss",
    "ml_prediction_score",
    "ml_confidence",
    "ml_risk_score",
    "recommendation",
)


@admin.register(Publication)
class PublicationAdmin(ReadOnlyAdmin):
    """Versions of the published lists."""

    list_display = (
        "date",
        "strategy",
        "version",
        "count",
        "valid_for",
        "published_at",
        "in_force",
        "model_id",
        "reason",
    )
    list_filter = ("strategy",)
    date_hierarchy = "date"
    exclude = ("picks",)
    readonly_fields = ("listed",)

    class Media:
        css = {"all": ("stocks/figures.css",)}

    @admin.display(description="picks, as they were published")
    def listed(self, publication: Publication) -> SafeString:
        """Return the main columns of the picks; also of a version that a newer one superseded."""
        return picks_table(publication.picks, _SHOWN_OF_A_PICK)

    @admin.display(description="in force", boolean=True)
    def in_force(self, publication: Publication) -> bool:
        """Return whether no newer version superseded it."""
        return publication.superseded_at is None

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Publication]":
        """Leave the stored copies out of the list."""
        found: QuerySet[Publication] = super().get_queryset(request)
        return found.defer("picks")


@admin.register(SuggestedStock)
class SuggestedStockAdmin(ExportAdmin, ReadOnlyAdmin):
    """Picks in force."""

    resource_classes = (SuggestedStockResource,)
    list_display = (
        "date",
        "strategy",
        "rank",
        "symbol",
        "stock_name",
        "current_price",
        "target_price",
        "stop_loss",
        "ml_prediction_score",
        "ml_confidence",
        "ml_risk_score",
        "recommendation",
    )
    list_display_links = ("symbol",)
    list_filter = ("strategy", "recommendation", "market_cap_category", "sector")
    search_fields = ("symbol", "stock_name")
    date_hierarchy = "date"
