"""Bars, indicators and the calendar in the admin; runs are in `tradingsite/operations/run_admin.py`."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from market_data import quality, trading_calendar
from market_data.models import (
    CalendarYear,
    CorporateAction,
    DailyBar,
    Finding,
    Heartbeat,
    MarketDay,
    Quote,
    RejectedRow,
    RunUndo,
    SourceFile,
    TableTotal,
    TechnicalIndicator,
    TradingLimits,
    TradingPhase,
)
from market_data.providers import ProviderError
from market_data.runs.saga import words_of
from market_data.storage.queries import latest_loaded_session
from stocks.admin import DatedAdmin, ReadOnlyAdmin, StockAdmin, TableAdmin, coloured
from stocks.models import Stock

_COLOURS = {"error": "danger", "warning": "warning", "info": "info"}


admin.site.unregister(Stock)


@admin.register(Stock)
class QuarantinedStockAdmin(StockAdmin):
    """A share whose page says whether findings keep it out of the picks: they are this app's."""

    fields = ("symbol", "kept_out", "figures", "run_id", "created_at")
    readonly_fields = ("kept_out", *StockAdmin.readonly_fields)

    @admin.display(description="kept out of the picks")
    def kept_out(self, stock: Stock) -> str:
        session = latest_loaded_session()
        entries = quality.kept_out(session) if session else []
        entry = next((entry for entry in entries if entry.symbol == stock.symbol), None)
        if entry is None:
            return "no"
        until = f"until {entry.until} if nothing settles it before" if entry.until else "until it is settled"
        return f"{words_of(entry.check)}, since {entry.since}, {until}: {entry.why}."


@admin.register(DailyBar)
class DailyBarAdmin(DatedAdmin):
    import_kind = "historical_bars"
    list_display = (
        "ticker",
        "date",
        "series",
        "open",
        "high",
        "low",
        "close",
        "adj_close",
        "volume",
        "status",
        "source",
    )
    # Only choices: a filter that lists a column's values would read the whole table.
    list_filter = ("status",)


@admin.register(TechnicalIndicator)
class TechnicalIndicatorAdmin(DatedAdmin):
    list_display = ("ticker", "date", "rsi_14", "macd", "signal_line", "sma_20", "sma_50", "sma_200", "atr_percentage")


@admin.register(Quote)
class QuoteAdmin(ReadOnlyAdmin):
    list_display = ("symbol_name", "at", "last_price", "volume", "source")
    ordering = ("-at",)
    search_fields = ("=symbol__symbol",)
    list_select_related = False

    @admin.display(description="symbol", ordering="symbol_id")
    def symbol_name(self, quote: Quote) -> str:
        return str(quote.symbol_id)  # `symbol` itself would read the stock's row


@admin.register(MarketDay)
class MarketDayAdmin(TableAdmin):
    """A day that the sources have wrong is corrected here; the correction holds until a person takes it back."""

    import_kind = "market_days"
    list_display = ("date", "kind", "is_session", "open", "close", "source")
    list_filter = ("kind", "is_session", "source")
    date_hierarchy = "date"
    actions = ("take_back",)
    readonly_fields = ("source", "run_id")
    fieldsets = (
        (
            None,
            {
                "fields": ("date", "kind", "is_session", "open", "close", "source", "run_id"),
                "description": "What you save counts from now on (source: operator). The calendar library, the"
                " exchange's lists and files and later runs do not change it, until you take it back in the list.",
            },
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: MarketDay | None = None) -> tuple[str, ...]:
        return self.readonly_fields if obj is None else ("date", *self.readonly_fields)

    def has_delete_permission(self, request: HttpRequest, obj: MarketDay | None = None) -> bool:
        return False  # without its row a day would count as closed

    def save_model(self, request: HttpRequest, obj: MarketDay, form: Any, change: bool) -> None:
        trading_calendar.record_edited_day(obj)

    @admin.action(description="Take back: what the other sources say counts again", permissions=["change"])
    def take_back(self, request: HttpRequest, queryset: "QuerySet[MarketDay]") -> None:
        days = [row.date for row in queryset if row.source.startswith(trading_calendar.BY_PERSON)]
        if not days:
            messages.warning(request, "None of these days was edited or imported by a person.")
            return
        try:
            trading_calendar.withdraw_days(days)
        except ProviderError as error:
            messages.error(request, f"Nothing was taken back: {error}")
        else:
            messages.success(request, f"Taken back: {', '.join(map(str, sorted(days)))}.")


@admin.register(TradingLimits)
class TradingLimitsAdmin(ReadOnlyAdmin):
    list_display = (
        *("symbol", "date", "lower_band", "upper_band", "band", "surveillance", "trade_status", "freeze_quantity"),
        "source",
    )
    search_fields = ("=symbol",)
    date_hierarchy = "date"


@admin.register(TradingPhase)
class TradingPhaseAdmin(ReadOnlyAdmin):
    """When which orders can be entered; changed by an import."""

    import_kind = "trading_phases"
    list_display = ("phase", "shares", "first", "last", "opens", "closes", "order_types", "source")
    list_filter = ("phase", "shares")


@admin.register(CalendarYear)
class CalendarYearAdmin(ReadOnlyAdmin):
    """How far the calendar reaches."""

    list_display = ("year", "first", "last", "source")
    actions = ("take_back",)

    @admin.action(description="Take back: an import no longer covers the year", permissions=["take_back"])
    def take_back(self, request: HttpRequest, queryset: "QuerySet[CalendarYear]") -> None:
        years = [row.year for row in queryset if row.source.startswith(trading_calendar.BY_PERSON)]
        if not years:
            messages.warning(request, "None of these years is covered by an import.")
            return
        trading_calendar.withdraw_years(years)
        messages.success(request, f"No longer covered by an import: {', '.join(map(str, sorted(years)))}.")

    def has_take_back_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("market_data.change_calendaryear")


@admin.register(CorporateAction)
class CorporateActionAdmin(ReadOnlyAdmin):
    list_display = ("symbol", "ex_date", "kind", "factor", "status", "known_on", "purpose", "source")
    list_filter = ("kind", "status", "source")
    search_fields = ("=symbol", "purpose")
    date_hierarchy = "ex_date"


@admin.register(SourceFile)
class SourceFileAdmin(ReadOnlyAdmin):
    list_display = ("session", "name", "status", "rows", "rejected", "size", "read_at", "run_id")
    search_fields = ("name",)
    date_hierarchy = "session"


@admin.register(RunUndo)
class RunUndoAdmin(ReadOnlyAdmin):
    list_display = ("id", "run_id", "table_name")
    search_fields = ("=run_id",)
    search_help_text = "A run, for example pipeline_20261004_210000"
    ordering = ("-id",)


@admin.register(RejectedRow)
class RejectedRowAdmin(ReadOnlyAdmin):
    list_display = ("session", "symbol", "reason", "source", "raw", "run_id")
    search_fields = ("=symbol", "=run_id", "=source")
    search_help_text = "A symbol, a run or a file, spelled exactly"
    ordering = ("-id",)


@admin.register(Finding)
class FindingAdmin(ReadOnlyAdmin):
    list_display = ("session", "level", "check_words", "symbol", "message", "effect", "remedy")
    list_filter = ("severity", "blocks", "check_name")
    search_fields = ("=symbol", "message")
    date_hierarchy = "session"

    @coloured("severity", _COLOURS)
    def level(self, finding: Finding) -> tuple[str, str]:
        return finding.severity, finding.get_severity_display()

    @admin.display(description="check", ordering="check_name")
    def check_words(self, finding: Finding) -> str:
        return words_of(finding.check_name)

    @admin.display(description="effect", ordering="blocks")
    def effect(self, finding: Finding) -> str:
        if not finding.blocks:
            return "for information"
        return "keeps the share out of the picks" if finding.symbol else "blocks the picks of the day"


@admin.register(TableTotal)
class TableTotalAdmin(ReadOnlyAdmin):
    list_display = ("table_name", "rows", "symbols", "latest_date", "updated_at")


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    list_display = ("cluster", "finished_at", "worker")
