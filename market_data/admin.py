"""Bars, indicators and the calendar in the admin; runs are in `tradingsite/operations/run_admin.py`."""

from django.contrib import admin

from market_data import quality
from market_data.models import (
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
)
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
    """A holiday that was announced late is corrected here."""

    import_kind = "market_days"
    list_display = ("date", "kind", "is_session", "open", "close", "source")
    list_filter = ("kind", "is_session", "source")
    date_hierarchy = "date"


@admin.register(CorporateAction)
class CorporateActionAdmin(ReadOnlyAdmin):
    list_display = ("symbol", "ex_date", "kind", "factor", "status", "known_on", "purpose", "source")
    list_filter = ("kind", "status", "source")
    search_fields = ("=symbol", "purpose")
    date_hierarchy = "ex_date"


@admin.register(SourceFile)
class SourceFileAdmin(ReadOnlyAdmin):
    list_display = ("session", "name", "rows", "rejected", "size", "read_at", "run_id")
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
    list_display = ("session", "level", "check_name", "symbol", "message", "blocks", "remedy")
    list_filter = ("severity", "blocks", "check_name")
    search_fields = ("=symbol", "message")
    date_hierarchy = "session"

    @coloured("severity", _COLOURS)
    def level(self, finding: Finding) -> tuple[str, str]:
        return finding.severity, finding.get_severity_display()


@admin.register(TableTotal)
class TableTotalAdmin(ReadOnlyAdmin):
    list_display = ("table_name", "rows", "symbols", "latest_date", "updated_at")


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    list_display = ("cluster", "finished_at", "worker")
