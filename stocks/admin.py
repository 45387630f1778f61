"""The universe, its dated facts and the picks in the admin, and the admin classes that all apps build on.

A table that a writer module owns is read-only here: a change would bypass the writer's checks and its before-images.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, TypeVar, cast

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
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
from stocks.picks.change_queries import changes_of
from stocks.storage.admin_lists import EstimatingPaginator as EstimatingPaginator
from stocks.storage.admin_lists import KeyedChangeList, ProbedDays
from stocks.storage.export import csv_blocks
from stocks.storage.figure_columns import with_figures
from stocks.storage.html_tables import figures_table, picks_table
from stocks.storage.import_rights import may_import_into
from stocks.storage.resources import StockResource, SuggestedStockResource

logger = logging.getLogger(__name__)
Method = TypeVar("Method", bound=Callable[..., Any])


def coloured(column: str, colours: Mapping[str, str]) -> Callable[[Method], Method]:
    """Decorator of a list column that shows (value, label) as a coloured label."""
    return cast("Callable[[Method], Method]", display(description=column, ordering=column, label=dict(colours)))


class StreamedExport(ModelAdmin):
    """Exports a table as CSV with the filters of its list, at any size."""

    change_list_template = "stocks/change_list.html"
    import_kind = ""
    export_left_out: tuple[str, ...] = ()

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        inherited: list[URLPattern] = super().get_urls()
        return [path("export/", self.admin_site.admin_view(self.export_table), name=name), *inherited]

    def export_table(self, request: HttpRequest) -> StreamingHttpResponse | HttpResponse:
        """Stream the rows that match the list's filters."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            rows = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters:  # answered as the list itself does
            address = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
            return redirect(f"{address}?{ERROR_FLAG}=1")
        table = self.opts.db_table
        logger.info("table exported", extra={"table": table, "by": request.user.get_username()})
        blocks = csv_blocks(rows, self.export_left_out)
        headers = {"Content-Disposition": f'attachment; filename="{table}.csv"'}
        return StreamingHttpResponse(blocks, content_type="text/csv; charset=utf-8", headers=headers)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Offer the export, and the upload of such a file where there is one."""
        more = {"has_export_permission": self.has_view_permission(request), **(extra_context or {})}
        if self.import_kind and may_import_into(request.user, self.model):
            more["import_kind"] = self.import_kind
        return super().changelist_view(request, more)


class TableAdmin(StreamedExport):
    """A table that opens fast at any size."""

    class Media:
        css = {"all": ("stocks/figures.css",)}

    paginator = EstimatingPaginator
    show_full_result_count = False
    list_per_page = 50

    def get_list_display(self, request: HttpRequest) -> Sequence[Any]:
        return with_figures(self.model, super().get_list_display(request))


class ReadOnlyAdmin(TableAdmin):
    """A read-only table, because a writer module owns it."""

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Sequence[Any]:
        return with_figures(self.model, super().get_fields(request, obj))

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class DatedAdmin(ReadOnlyAdmin):
    """A table of one row a symbol and session, of any size: searched by its two indexes, never by scanning texts."""

    ordering: tuple[str, ...] = ("-date", "symbol_id")
    """Date, symbol, and whatever distinguishes the rows of one date and symbol."""

    search_fields = ("symbol",)
    search_help_text = "A symbol, a date such as 2026-04-30, or both"
    list_select_related = False
    date_hierarchy = "date"
    sortable_by: tuple[str, ...] = ("ticker", "symbol", "date")
    symbol_column = "symbol_id"

    def get_changelist(self, request: HttpRequest, **_: Any) -> type[KeyedChangeList]:
        return KeyedChangeList

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        return ProbedDays(self.model).order_by(*self.ordering)

    @admin.display(description="symbol", ordering="symbol_id")
    def ticker(self, row: Any) -> str:
        """The symbol, without a read of the stock's row."""
        return str(getattr(row, self.symbol_column))

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Any]", search_term: str
    ) -> "tuple[QuerySet[Any], bool]":
        """Read each word as a date or as a symbol."""
        for word in search_term.split():
            try:
                queryset = queryset.filter(**{self.date_hierarchy: date.fromisoformat(word)})
            except ValueError:
                queryset = queryset.filter(**{self.symbol_column: word.upper()})
        return queryset, False


class FiguresAdmin(ReadOnlyAdmin):
    """Rows of figures, each with its source."""

    readonly_fields: tuple[str, ...] = ("figures",)

    @admin.display(description="figures and their sources")
    def figures(self, row: Model) -> SafeString:
        return figures_table(row)


class ExportAdmin(ExportMixin):
    """Exports chosen columns as CSV or JSON; for tables of some thousand rows, which it holds in memory."""

    import_export_change_list_template = "stocks/change_list.html"
    export_form_class = ExportForm
    formats = (CSV, JSON)

    def get_export_formats(self) -> list[type[Any]]:
        return list(self.formats)


@admin.register(Stock)
class StockAdmin(ExportAdmin, FiguresAdmin):
    fields: tuple[str, ...] = ("symbol", "figures", "run_id", "created_at")
    import_kind = "index_members"
    resource_classes = (StockResource,)
    list_display = (
        *("symbol", "stock_name", "kind", "series"),
        *("current_price", "market_cap", "pe_ratio", "sector", "last_seen"),
    )
    list_filter = ("kind", "series", "market_cap_category", "sector")
    search_fields = ("symbol", "stock_name", "isin")


@admin.register(SymbolChange)
class SymbolChangeAdmin(ReadOnlyAdmin):
    list_display = ("from_symbol", "to_symbol", "date", "proof")
    list_filter = ("proof",)
    search_fields = ("from_symbol", "to_symbol")
    date_hierarchy = "date"


@admin.register(StockMetrics)
class StockMetricsAdmin(FiguresAdmin, DatedAdmin):
    fields = ("symbol", "date", "tradable", "exclusion", "figures", "run_id", "created_at")

    list_display = (
        *("ticker", "date", "current_price", "market_cap", "pe_ratio"),
        *("turnover_median_20", "tradable", "exclusion"),
    )
    list_filter = ("tradable",)


@admin.register(FinancialStatement)
class FinancialStatementAdmin(DatedAdmin):
    import_kind = "financial_statements"
    date_hierarchy = "period_end"
    symbol_column = "symbol"
    ordering = ("-period_end", "symbol", "kind")
    sortable_by = ("symbol", "period_end")
    list_display = (
        *("symbol", "kind", "period_end", "published_on", "published_assumed"),
        *("revenue", "net_income", "eps", "source"),
    )
    list_filter = ("kind", "published_assumed")


@admin.register(FundamentalSnapshot)
class FundamentalSnapshotAdmin(DatedAdmin):
    import_kind = "fundamentals"
    date_hierarchy = "snapshot"
    symbol_column = "symbol"
    ordering = ("-snapshot", "symbol")
    sortable_by = ("symbol", "snapshot")
    list_display = ("symbol", "snapshot", "stock_name", "sector", "market_cap", "pe_ratio", "roe", "results_date")


@admin.register(ExchangeFact)
class ExchangeFactAdmin(DatedAdmin):
    symbol_column = "symbol"
    ordering = ("-date", "symbol")
    list_display = ("symbol", "date", "issue_size", "market_cap", "pe_ratio", "source")


_PICK_FIGURES = (
    *("current_price", "target_price", "stop_loss", "ml_prediction_score", "ml_confidence", "ml_risk_score"),
    *("reward_to_risk", "recommendation"),
)


@admin.register(Publication)
class PublicationAdmin(ReadOnlyAdmin):
    list_display = (
        *("date", "strategy", "version", "count", "valid_for"),
        *("published_at", "in_force", "model_id", "reason", "hash"),
    )
    list_filter = ("strategy",)
    date_hierarchy = "date"
    exclude = ("picks", "departures")
    readonly_fields = ("picks_as_published", "left_the_list", "score_changes")

    @admin.display(description="hash of the head")
    def hash(self, publication: Publication) -> str:
        return publication.head_hash[:12]

    @admin.display(description="picks as published")
    def picks_as_published(self, publication: Publication) -> SafeString:
        return picks_table(publication.picks, ("rank", "symbol", "standing", "listed_since", *_PICK_FIGURES))

    @admin.display(description="left the list before")
    def left_the_list(self, publication: Publication) -> SafeString | str:
        columns = ("symbol", "last_rank", "last_place", "listed_since", "place", "reason")
        return picks_table(publication.departures, columns) if publication.departures else "none"

    @admin.display(description="scores of the shares that stayed")
    def score_changes(self, publication: Publication) -> SafeString | str:
        stayed = changes_of(publication).score_changes
        rows = [{"symbol": share.symbol, "rank": share.rank, "what_moved_it": share.words} for share in stayed]
        return picks_table(rows, ("rank", "symbol", "what_moved_it")) if rows else "none"

    @admin.display(description="in force", boolean=True)
    def in_force(self, publication: Publication) -> bool:
        return publication.superseded_at is None

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Publication]":
        publications: QuerySet[Publication] = super().get_queryset(request)
        return publications.select_related("previous").defer("picks", "departures", "previous__picks")


@admin.register(SuggestedStock)
class SuggestedStockAdmin(ExportAdmin, ReadOnlyAdmin):
    resource_classes = (SuggestedStockResource,)
    list_display = ("date", "strategy", "rank", "symbol", "stock_name", "standing", "listed_since", *_PICK_FIGURES)
    list_display_links = ("symbol",)
    list_filter = ("strategy", "standing", "recommendation", "market_cap_category", "sector")
    search_fields = ("symbol", "stock_name")
    date_hierarchy = "date"
