"""Contract notes in the admin: one's own, their import, and each line beside the one computed."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminSingleDateWidget

from brokers.admin import OwnRowsAdmin
from brokers.charges import ChargesError
from brokers.files.contract_notes import COLUMNS, LINES, contract_note
from brokers.files.csv_rows import MAX_BYTES, CsvError, content_of
from brokers.files.note_records import record_note
from brokers.files.trade_files import COLUMNS as FILL_COLUMNS
from brokers.models import BrokerConfiguration, ImportedNote
from stocks.admin import ReadOnlyAdmin


class NoteForm(forms.Form):
    """A note's broker, session and file."""

    broker = forms.ChoiceField(choices=BrokerConfiguration.Broker.choices, widget=UnfoldAdminSelectWidget)
    session = forms.DateField(widget=UnfoldAdminSingleDateWidget)
    file = forms.FileField(
        label="CSV file",
        help_text=f"UTF-8 with the columns {', '.join(COLUMNS)}; at most {MAX_BYTES >> 20} MB.",
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,text/csv"}),
    )


@admin.register(ImportedNote)
class ImportedNoteAdmin(OwnRowsAdmin, ReadOnlyAdmin):
    """Imported notes; a difference is shown, and nothing is corrected by it."""

    list_display = ("session", "broker", "number", "user", "total", "differing", "imported_at")
    list_filter = ("broker",)
    search_fields = ("number", "user__username")
    list_select_related = ("user",)
    fields = ("user", "broker", "session", "number", "imported_at", "lines", "all_fills")
    readonly_fields = ("lines", "all_fills")

    class Media:
        css = {"all": ("stocks/figures.css",)}

    def get_urls(self) -> list[URLPattern]:
        inherited: list[URLPattern] = super().get_urls()
        view = self.admin_site.admin_view(self.import_note)
        return [path("import/", view, name="brokers_importednote_import"), *inherited]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return super().changelist_view(request, {"imports_notes": _may_import(request), **(extra_context or {})})

    def import_note(self, request: HttpRequest) -> HttpResponse:
        """The form; a POST stores the note of whoever sends it and shows its differences."""
        if not _may_import(request):
            raise PermissionDenied
        form = NoteForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            sent = form.cleaned_data
            try:
                note = contract_note(content_of(sent["file"]))
                row = record_note(request.user, sent["broker"], sent["session"], note)
            except (CsvError, ChargesError) as error:
                form.add_error("file", str(error))
            else:
                messages.success(request, f"{row} is stored; {row.differing} of {len(LINES)} lines differ.")
                return HttpResponseRedirect(reverse("admin:brokers_importednote_change", args=[row.pk]))
        context = {**self.admin_site.each_context(request), "opts": self.opts, "form": form}
        return TemplateResponse(request, "brokers/import_note.html", context | {"title": "Import a contract note"})

    @admin.display(description="total of the note, ₹")
    def total(self, note: ImportedNote) -> str:
        return str(note.stated["total"])

    @admin.display(description="lines, ₹")
    def lines(self, note: ImportedNote) -> SafeString:
        rows = ((name, note.stated[name], note.computed[name], _verdict(note, name)) for name in LINES)
        return _table("Lines of the note", ("Line", "Stated", "Computed", "Difference"), rows)

    @admin.display(description="fills")
    def all_fills(self, note: ImportedNote) -> SafeString:
        rows = ([fill[name] for name in FILL_COLUMNS] for fill in note.fills)
        return _table("Fills of the note", FILL_COLUMNS, rows)


def _may_import(request: HttpRequest) -> bool:
    return bool(request.user.has_perm("brokers.add_importednote"))


def _verdict(note: ImportedNote, name: str) -> str:
    difference = Decimal(note.stated[name]) - Decimal(note.computed[name])
    return f"differs by {'−' if difference < 0 else ''}₹{abs(difference):.2f}" if difference else "equal"


def _table(label: str, names: Iterable[str], rows: Iterable[Iterable[object]]) -> SafeString:
    head = format_html_join("", '<th scope="col">{}</th>', ([name] for name in names))
    body = format_html_join(
        "", "<tr>{}</tr>", ([format_html_join("", "<td>{}</td>", ([cell] for cell in row))] for row in rows)
    )
    table = "<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>"
    region = f'<div class="figures" tabindex="0" role="region" aria-label="{{}}">{table}</div>'
    return format_html(region, label, head, body)
