"""The audit in the admin: read only, searched, filtered, exported."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from brokers.admin import is_superuser
from brokers.models import BrokerConfiguration, ImportedNote
from portfolio import models as portfolio
from stocks.admin import ReadOnlyAdmin
from tradingsite.models import AuditEntry
from tradingsite.operations.views import run_url

_LISTED_COLUMNS = 6
_LISTED_LETTERS = 80
_TABLES_OF_PEOPLE = [
    model._meta.db_table
    for model in (
        *(BrokerConfiguration, ImportedNote, portfolio.Strategy, portfolio.Backtest),
        *(portfolio.ApiToken, portfolio.SecondFactor, portfolio.RecoveryCode),
        *(portfolio.TradingAccount, portfolio.AccountLimits, portfolio.TradedStrategy, portfolio.LivePermission),
        *(portfolio.OrderIntent, portfolio.Order, portfolio.OrderEvent, portfolio.OrderAlarm, portfolio.Trade),
        *(portfolio.Position, portfolio.LedgerEntry, portfolio.Difference, portfolio.Plan, portfolio.PaperVenue),
    )
]


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """Who changed what: money, rights, secrets, stored facts; of others' own rows only superusers read it."""

    list_display = ("moment", "who", "channel", "act", "row", "short_changes", "run")
    list_display_links = ("moment",)
    list_filter = ("channel", "act", "table_name", "actor")
    search_fields = ("=actor", "=row_id", "=run_id", "=table_name", "account", "=address")
    search_help_text = "A user, a table, a row's id, a run or an address, spelled exactly; or part of an account"
    date_hierarchy = "at"
    fields = (
        *("moment", "who", "channel", "token", "address", "account", "path"),
        *("act", "table_name", "row_id", "changes", "run"),
    )
    readonly_fields = ("moment", "who", "changes", "run")

    @admin.display(description="at", ordering="id")
    def moment(self, entry: AuditEntry) -> str:
        return f"{timezone.localtime(entry.at):%d %b %Y, %H:%M:%S}"

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        entries: QuerySet[Any] = super().get_queryset(request)
        if is_superuser(request):
            return entries
        return entries.filter(Q(actor=request.user.get_username()) | ~Q(table_name__in=_TABLES_OF_PEOPLE))

    @admin.display(description="who", ordering="actor")
    def who(self, entry: AuditEntry) -> str:
        return entry.actor or entry.account or "the system"

    @admin.display(description="row")
    def row(self, entry: AuditEntry) -> str:
        return f"{entry.table_name} {entry.row_id}".strip() or "–"

    @admin.display(description="before → after")
    def short_changes(self, entry: AuditEntry) -> SafeString:
        lines = change_lines(entry)
        more = [("…", "")] if len(lines) > _LISTED_COLUMNS else []
        shown = [(name, f"{text[:_LISTED_LETTERS]}…" if len(text) > _LISTED_LETTERS else text) for name, text in lines]
        return _html([*shown[:_LISTED_COLUMNS], *more])

    @admin.display(description="before → after")
    def changes(self, entry: AuditEntry) -> SafeString:
        return _html(change_lines(entry))

    @admin.display(description="run", ordering="run_id")
    def run(self, entry: AuditEntry) -> SafeString | str:
        if not entry.run_id:
            return "–"
        return format_html("<a href='{}'>{}</a>", run_url(entry.run_id), entry.run_id)


def change_lines(entry: AuditEntry) -> list[tuple[str, str]]:
    """Return each column that an act changed, with its value before and after; without empty ones of a whole row."""
    before, after = entry.before or {}, entry.after or {}
    if entry.before is not None and entry.after is not None:
        return [(name, f"{_text(before[name])} → {_text(after.get(name))}") for name in before]
    return [(name, _text(value)) for name, value in (before | after).items() if value not in (None, "", [], {})]


def _text(value: object) -> str:
    return "–" if value in (None, "") else str(value)


def _html(lines: list[tuple[str, str]]) -> SafeString:
    return format_html_join("", "<div><b>{}</b> {}</div>", lines)
