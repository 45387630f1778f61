"""What every page of an account shows: its tabs, and first what has to be cleared."""

from collections.abc import Mapping
from typing import Any, Final, cast

from django.http import HttpRequest, HttpResponse

from portfolio.models import Difference, Plan, TradingAccount, User
from portfolio.pages.views import render_page
from portfolio.reconciliation.blocks import open_alarms, open_differences
from portfolio.reconciliation.comparison import BLOCKING

TABS: Final[Mapping[str, str]] = {
    "portfolio:account": "Portfolio",
    "portfolio:account-orders": "Orders",
    "portfolio:account-trades": "Trades",
    "portfolio:account-plans": "Plans",
    "portfolio:account-differences": "Differences",
    "portfolio:account-ledger": "Ledger",
    "portfolio:account-tax": "Tax lots",
    "portfolio:account-live": "Live",
}
MOST_ROWS: Final = 500


def person_of(request: HttpRequest) -> User:
    return cast("User", request.user)


def account_page(
    request: HttpRequest, tab: str, template: str, account: TradingAccount, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    """A page of an account under one of its tabs; `page_title` is among the context."""
    alarms = list(open_alarms(account))
    differences = differences_of(account)
    counts = {
        "portfolio:account-differences": len(alarms) + len(differences),
        "portfolio:account-plans": Plan.objects.filter(account=account, status="waiting").count(),
    }
    shared = {
        "account": account,
        "alarms": alarms,
        "open_differences": differences,
        "tab": tab,
        "tabs": [(name, label, counts.get(name, 0)) for name, label in TABS.items()],
    }
    page = render_page(request, f"portfolio/trading/{template}.html", shared | context)
    page.status_code = status
    return page


def differences_of(account: TradingAccount) -> list[Difference]:
    """The account's open differences, those that block it first; each says by `blocks` whether it does."""
    rows = list(open_differences(account))
    for row in rows:
        row.blocks = row.kind in BLOCKING  # type: ignore[attr-defined]
    return sorted(rows, key=lambda row: row.kind not in BLOCKING)
