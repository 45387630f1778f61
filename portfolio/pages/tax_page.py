"""The tax statement of a ledger that somebody uploads: computed for the request, never stored."""

from datetime import date
from typing import Any, Final

from django import forms
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from brokers.files.csv_rows import MAX_BYTES, CsvError, content_of
from market_data.storage.queries import latest_session
from portfolio.ledger.capital_gains import TaxYear
from portfolio.ledger.entries import COLUMNS, LedgerError, entries_of
from portfolio.ledger.statement import NOTES, Statement, as_csv, statement_of
from portfolio.pages.access import person_view
from portfolio.pages.views import render_page

ROWS_SHOWN: Final = 500


class LedgerForm(forms.Form):
    """A ledger's file, and the day from which the days to long term count."""

    file = forms.FileField(
        label="Ledger",
        widget=forms.FileInput(attrs={"class": "form-control", "accept": ".csv,text/csv"}),
        error_messages={"required": "Choose a ledger file.", "empty": "The file is empty; choose a ledger file."},
    )
    as_of = forms.DateField(
        label="Days to long term as of",
        widget=forms.DateInput(attrs={"class": "form-control", "type": "date"}, format="%Y-%m-%d"),
        input_formats=["%Y-%m-%d"],
        error_messages={"required": "Choose a day.", "invalid": "The day is not a date; write it as YYYY-MM-DD."},
    )

    def statement(self) -> Statement | None:
        """The statement of the file; None with the error at its field."""
        try:
            return statement_of(entries_of(content_of(self.cleaned_data["file"])))
        except (CsvError, LedgerError) as error:
            self.add_error("file", str(error))
            return None


@require_http_methods(["GET", "HEAD", "POST"])
@person_view
def tax(request: HttpRequest) -> HttpResponse:
    """The form, and after it the statement of the file that was sent, as a page or as CSV."""
    context: dict[str, Any] = {"columns": COLUMNS, "limit_mb": MAX_BYTES >> 20, "notes": NOTES, "shown": ROWS_SHOWN}
    if request.method != "POST":
        form = LedgerForm(initial={"as_of": latest_session()})
        return render_page(request, "portfolio/tax.html", context | {"form": form})
    form = LedgerForm(request.POST, request.FILES)
    statement = form.statement() if form.is_valid() else None
    if statement and "csv" in request.POST:
        headers = {"Content-Disposition": 'attachment; filename="tax_statement.csv"'}
        return HttpResponse(as_csv(statement), content_type="text/csv; charset=utf-8", headers=headers)
    if statement:
        context |= statement_context(statement, form.cleaned_data["as_of"])
    return render_page(request, "portfolio/tax.html", context | {"form": form})


def statement_context(statement: Statement, as_of: date) -> dict[str, Any]:
    """Years, disposals and open lots, the days to long term as of a day."""
    lots = [(lot, lot.days_to_long(as_of)) for lot in statement.lots[:ROWS_SHOWN]]
    return {
        "statement": statement,
        "as_of": as_of,
        "years": [_year_context(statement, year) for year in reversed(statement.years)],
        "lots": lots,
    }


def _year_context(statement: Statement, year: TaxYear) -> dict[str, Any]:
    disposals = statement.of_year(year.name)
    kinds = (("Short", year.short, year.taxed_short), ("Long", year.long, year.taxed_long))
    return {
        "year": year,
        "rates": [
            (f"{name} at {rate} %", net, taxed[rate]) for name, nets, taxed in kinds for rate, net in nets.items()
        ],
        "carried": [("short", *entry) for entry in year.carried_short.items()]
        + [("long", *entry) for entry in year.carried_long.items()],
        "disposals": disposals[:ROWS_SHOWN],
        "count": len(disposals),
    }
