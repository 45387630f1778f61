"""The tax statement of an account, from its own ledger."""

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from portfolio.accounts.readings import postings_of
from portfolio.ledger.entries import LedgerError
from portfolio.ledger.statement import NOTES, as_csv, statement_of
from portfolio.ledger.tax_entries import tax_entries
from portfolio.pages.access import person_view
from portfolio.pages.tax_page import ROWS_SHOWN, statement_context
from portfolio.pages.trading.own import own_account
from portfolio.pages.trading.page import account_page, person_of

_TAB: Final = "portfolio:account-tax"


@require_safe
@person_view
def tax_lots(request: HttpRequest, key: int) -> HttpResponse:
    """Lots, disposals and the tax of each year; `?csv=1`: as a file."""
    account, today = own_account(person_of(request), key), timezone.localdate()
    context: dict[str, Any] = {"page_title": "Tax lots", "notes": NOTES, "shown": ROWS_SHOWN}
    try:
        statement = statement_of(tax_entries(postings_of(account, today)))
    except LedgerError as error:
        context["unknown"] = str(error)
    else:
        if "csv" in request.GET:
            name = f'attachment; filename="tax_of_account_{account.pk}.csv"'
            headers = {"Content-Disposition": name}
            return HttpResponse(as_csv(statement), content_type="text/csv; charset=utf-8", headers=headers)
        context |= statement_context(statement, today)
    return account_page(request, _TAB, "tax_lots", account, context)
