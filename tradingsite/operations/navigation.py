"""The admin's sidebar and its list of tables: by what people do, not by the apps that the tables belong to."""

from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from tradingsite.imports.rights import importable
from tradingsite.operations import failed_runs
from tradingsite.operations.rights import may_view_runs

_RUNS: Final = "market_data.PipelineRun"
TABLES: Final[dict[str, dict[str, str]]] = {
    "Operations": {
        _RUNS: "Runs",
        "market_data.ImportedFile": "Imported files",
        "market_data.Finding": "Findings",
        "market_data.EveningHold": "Held evenings",
        "tradingsite.Trouble": "Alerts",
        "django_q.Schedule": "Schedules",
        "django_q.OrmQ": "Queue",
        "tradingsite.AuditEntry": "Audit",
    },
    "Market": {
        "stocks.Stock": "Stocks",
        "market_data.DailyBar": "Daily bars",
        "market_data.TechnicalIndicator": "Indicators",
        "stocks.StockMetrics": "Metrics of a session",
        "market_data.Quote": "Quotes",
        "market_data.CorporateAction": "Corporate actions",
        "stocks.SymbolChange": "Symbol changes",
        "stocks.FinancialStatement": "Financial statements",
        "stocks.FundamentalSnapshot": "Fundamentals",
        "stocks.ExchangeFact": "Exchange's facts",
        "market_data.MarketDay": "Market days",
        "market_data.CalendarYear": "Calendar years",
        "market_data.TradingPhase": "Trading phases",
        "market_data.TradingLimits": "Trading limits",
        "market_data.SourceFile": "Source files",
        "market_data.RejectedRow": "Rejected rows",
    },
    "Picks": {
        "stocks.SuggestedStock": "Picks",
        "stocks.Publication": "Published lists",
        "ml.PickOutcome": "Outcomes of picks",
        "ml.PickPlace": "Earlier lists, replayed",
        "ml.PickHistoryDay": "Days replayed",
        "portfolio.Strategy": "Strategies",
        "ml.TrainedModel": "Models",
        "ml.ChampionChange": "Champions",
        "ml.Evaluation": "Evaluations",
        "ml.Prediction": "Predictions",
    },
    "Portfolio": {
        "portfolio.TradingAccount": "Accounts",
        "portfolio.Order": "Orders",
        "portfolio.OrderAlarm": "Order alarms",
        "portfolio.OrderIntent": "Order intents",
        "portfolio.OrderEvent": "Order events",
        "portfolio.Trade": "Trades",
        "portfolio.Position": "Positions",
        "portfolio.Plan": "Plans",
        "portfolio.TradedStrategy": "Traded strategies",
        "portfolio.LedgerEntry": "Ledger entries",
        "portfolio.Difference": "Differences from brokers",
        "portfolio.AccountLimits": "Account limits",
        "portfolio.LivePermission": "Live permissions",
        "portfolio.KillSwitch": "Kill switch",
        "portfolio.PaperVenue": "Paper markets",
        "portfolio.Backtest": "Backtests",
        "brokers.BrokerConfiguration": "Broker accounts",
        "brokers.ImportedNote": "Contract notes",
    },
    "People": {
        "portfolio.User": "Users",
        "auth.Group": "Groups",
        "portfolio.ApiToken": "API tokens",
        "axes.AccessAttempt": "Failed log-ins that count",
        "axes.AccessFailureLog": "All failed log-ins",
        "axes.AccessLog": "Log-ins",
    },
    "System": {
        "market_data.PipelineStep": "Steps of runs",
        "market_data.StepAttempt": "Attempts of steps",
        "market_data.RunUndo": "Rolled-back rows",
        "market_data.TableTotal": "Sizes of tables",
        "market_data.Heartbeat": "Heartbeats",
        "django_q.Success": "Queue: completed tasks",
        "django_q.Failure": "Queue: failed tasks",
        "tradingsite.AlertDelivery": "Alerts sent",
        "tradingsite.AlertTimer": "Channels of alerts",
    },
}
"""Group → table → its name in the menu. A table that stands in none is shown under System by its own name."""


def groups(request: HttpRequest) -> list[dict[str, Any]]:
    """Groups of the sidebar (`UNFOLD["SIDEBAR"]["navigation"]`): what the user may open, one entry lit."""
    tables = _tables(request)
    listed = {label for group in TABLES.values() for label in group}
    sections: list[dict[str, Any]] = [
        {"title": title, "collapsible": title != "Operations", "items": _items(names, tables)}
        for title, names in TABLES.items()
    ]
    sections[-1]["items"] += [_link(name, url) for label, (name, url) in tables.items() if label not in listed]
    sections[0]["items"] = _operations(request, sections[0]["items"])
    _mark_active(request, [item for section in sections for item in section["items"]])
    return [section for section in sections if section["items"]]


def _tables(request: HttpRequest) -> dict[str, tuple[str, str]]:
    """Own name and address of each table that the user may see, by its label."""
    entries = [entry for app in admin.site.get_app_list(request) for entry in app["models"] if entry["admin_url"]]
    return {entry["model"]._meta.label: (entry["name"], entry["admin_url"]) for entry in entries}


def _items(names: dict[str, str], tables: dict[str, tuple[str, str]]) -> list[dict[str, Any]]:
    return [_link(name, tables[label][1]) for label, name in names.items() if label in tables]


def _operations(request: HttpRequest, tables: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The console's pages around the tables that operators look at."""
    items = [_link("Home", reverse("admin:index"))]
    runs = [item for item in tables if item["title"] == TABLES["Operations"][_RUNS]]
    items += runs + ([_failed_runs()] if may_view_runs(request.user) else [])
    if importable(request.user):
        items.append(_link("Import", reverse("admin:market_data_importedfile_add")))
    items += [item for item in tables if item not in runs]
    return [*items, _link("Runbook", reverse("operations:runbook"))] if may_view_runs(request.user) else items


def _link(title: str, address: str) -> dict[str, Any]:
    return {"title": title, "link": address, "active": False}


def _failed_runs() -> dict[str, Any]:
    item = _link("Failed runs", failed_runs.failed_runs_url())
    count = failed_runs.failed_run_count()
    return item | {"badge": count} if count else item


def _mark_active(request: HttpRequest, items: list[dict[str, Any]]) -> None:
    """Mark the entry whose address says most about the page that is open."""
    matches = [(weight, place) for place, item in enumerate(items) if (weight := _match(request, item["link"]))]
    if matches:
        items[max(matches)[1]]["active"] = True


def _match(request: HttpRequest, address: str) -> tuple[int, int] | None:
    """How closely an address fits the open page: length of its path and number of parameters; None if it does not."""
    parts = urlsplit(address)
    parameters = parse_qsl(parts.query)
    is_part = request.path.startswith(parts.path) and (
        parts.path != reverse("admin:index") or request.path == parts.path
    )
    if not is_part or any(request.GET.get(name) != value for name, value in parameters):
        return None
    return len(parts.path), len(parameters)
