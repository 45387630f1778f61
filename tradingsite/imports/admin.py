"""Files that were handed in, in the admin: a form, a page that shows what was found, buttons to import and to undo."""

import csv
import io
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget

from market_data.imports.judging import MAX_BYTES, MAX_ROWS
from market_data.imports.kinds import KINDS
from market_data.models import ImportedFile, PipelineRun
from market_data.runs import rollback
from market_data.runs.saga import SagaError
from stocks.admin import TableAdmin, coloured
from tradingsite.clusters.progress import cluster_liveness
from tradingsite.imports import submissions

_NAME = "admin:market_data_importedfile"
_COLOURS = {"imported": "success", "taken back": "warning", "failed": "danger", "at work": "info"}


class HandInForm(forms.Form):
    """A file and what it holds."""

    kind = forms.ChoiceField(
        label="What it holds",
        choices=[(name, kind.title) for name, kind in KINDS.items()],
        widget=UnfoldAdminSelectWidget,
    )
    file = forms.FileField(
        label="CSV file",
        help_text=f"UTF-8 or UTF-16, may be packed as zip or gzip; up to {MAX_ROWS:,} rows and {MAX_BYTES >> 20} MB.",
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,.zip,.gz,text/csv"}),
    )

    def clean_file(self) -> Any:
        """Refuse what is too large before it is read."""
        file = self.cleaned_data["file"]
        if file.size > MAX_BYTES:
            raise forms.ValidationError(
                f"{file.name} has {file.size >> 20} MB, more than {MAX_BYTES >> 20}; import it in parts."
            )
        return file


@admin.register(ImportedFile)
class ImportedFileAdmin(TableAdmin):
    """Files that were handed in; each goes from its check to its import, and may be taken back."""

    list_display = ("name", "holds", "uploaded_at", "uploaded_by", "size", "state")
    list_filter = ("kind",)
    search_fields = ("name", "uploaded_by")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: the cleanup removes them."""
        return False

    def get_queryset(self, request: HttpRequest) -> "QuerySet[ImportedFile]":
        """Leave the contents in the database, and look the runs up with the list."""
        runs_of = {
            name: Subquery(PipelineRun.objects.filter(pk=OuterRef(f"{name}_run_id")).values("status"))
            for name in ("check", "import")
        }
        found: QuerySet[ImportedFile] = super().get_queryset(request).defer("content")
        return found.annotate(check_status=runs_of["check"], import_status=runs_of["import"])

    @admin.display(description="what it holds", ordering="kind")
    def holds(self, file: ImportedFile) -> str:
        """Return the kind's title."""
        return KINDS[file.kind].title if file.kind in KINDS else file.kind

    @coloured("kind", _COLOURS)
    def state(self, file: Any) -> tuple[str, str]:
        """Return how far it has come."""
        words = {"completed": "imported", "rolled_back": "taken back", "failed": "failed", "cancelled": "cancelled"}
        if file.import_status:
            word = words.get(file.import_status, "at work")
        else:
            word = "checked" if file.check_status == "completed" else "not checked"
        return word, word

    def get_urls(self) -> list[URLPattern]:
        """Add the buttons' addresses and the empty files."""
        own = [
            path("columns/<str:kind>.csv", self._page(empty_file), name="market_data_importedfile_columns"),
            path("<int:key>/progress/", self._page(self.progress), name="market_data_importedfile_progress"),
            path("<int:key>/undo/", self._page(self.undo), name="market_data_importedfile_undo"),
        ]
        own += [
            path(f"<int:key>/{name}/", self._page(require_POST(view)), name=f"market_data_importedfile_{name}")
            for name, view in (("check", self.check_again), ("import", self.import_rows))
        ]
        inherited: list[URLPattern] = super().get_urls()
        return own + inherited

    def _page(self, view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        """Return the view for staff who may hand files in."""

        def allowed(request: HttpRequest, **places: Any) -> HttpResponseBase:
            if not self.has_add_permission(request):
                raise PermissionDenied
            return view(request, **places)

        page: Callable[..., HttpResponseBase] = self.admin_site.admin_view(allowed)
        return page

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Show the form; take a file and have it judged."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = HandInForm(request.POST or None, request.FILES or None, initial={"kind": request.GET.get("kind")})
        if request.method == "POST" and form.is_valid():
            given = form.cleaned_data["file"]
            by = request.user.get_username()
            try:
                file = submissions.hand_in(given.read(), given.name, form.cleaned_data["kind"], by)
            except SagaError as error:
                form.add_error("file", str(error))
            else:
                self._told(request, lambda: submissions.start_check(file, by))
                return HttpResponseRedirect(reverse(f"{_NAME}_change", args=[file.pk]))
        more = {"title": "Hand in a CSV file", "form": form, "kinds": KINDS}
        return self._template(request, "hand_in", more)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show what was found in a file and what became of it."""
        if request.method not in ("GET", "HEAD") or not self.has_view_permission(request):
            raise PermissionDenied
        file = self.get_object(request, object_id)
        if file is None:
            raise Http404
        state = submissions.state_of(file)
        more = {
            "title": file.name,
            "file": file,
            "kind": KINDS.get(file.kind),
            "state": state,
            "report": state.report,
            "may": self.has_add_permission(request),
            "waiting": cluster_notice("data") if state.at_work else "",
        }
        return self._template(request, "file", more)

    def progress(self, request: HttpRequest, key: int) -> HttpResponse:
        """Return how far the run at work is."""
        at_work = submissions.state_of(_file(key)).at_work
        if at_work is None:
            return JsonResponse({"at_work": False})
        steps = list(at_work.steps.values_list("progress", flat=True))
        return JsonResponse({"at_work": True, "run": at_work.id, "progress": sum(steps) / max(len(steps), 1)})

    def check_again(self, request: HttpRequest, key: int) -> HttpResponse:
        """Judge the file again, as the database stands now."""
        file = _file(key)
        self._told(request, lambda: submissions.start_check(file, request.user.get_username()))
        return _back(key)

    def import_rows(self, request: HttpRequest, key: int) -> HttpResponse:
        """Write the file's rows."""
        file, only_good = _file(key), "only_good" in request.POST
        self._told(request, lambda: submissions.start_import(file, request.user.get_username(), only_good=only_good))
        return _back(key)

    def undo(self, request: HttpRequest, key: int) -> HttpResponse:
        """Say exactly what taking the import back would change; do it on POST."""
        file = _file(key)
        try:
            if request.method == "POST":
                done = submissions.undo(file, request.user.get_username())
                messages.success(request, f"{file.name} was taken back: {_counted(done)}.")
                return _back(key)
            planned = rollback.planned_rollback(file.import_run_id)
        except SagaError as error:
            messages.error(request, str(error))
            return _back(key)
        more = {"title": f"Take {file.name} back", "file": file, "planned": _counted(planned)}
        return self._template(request, "undo", more)

    def _told(self, request: HttpRequest, start: Callable[[], PipelineRun]) -> None:
        try:
            run = start()
        except SagaError as error:
            messages.error(request, str(error))
        else:
            messages.info(request, f"Started as {run.id}.")

    def _template(self, request: HttpRequest, name: str, more: dict[str, Any]) -> TemplateResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, **more}
        return TemplateResponse(request, f"tradingsite/imports/{name}.html", context)


def empty_file(request: HttpRequest, kind: str) -> HttpResponse:
    """Return the first line of a kind's file, to be filled in."""
    if kind not in KINDS:
        raise Http404
    line = io.StringIO()
    csv.writer(line).writerow(column.name for column in KINDS[kind].columns)
    name = f'attachment; filename="{kind}.csv"'
    return HttpResponse(line.getvalue(), content_type="text/csv; charset=utf-8", headers={"Content-Disposition": name})


def _file(key: int) -> ImportedFile:
    return get_object_or_404(ImportedFile.objects.defer("content"), pk=key)


def _back(key: int) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse(f"{_NAME}_change", args=[key]))


def cluster_notice(cluster: str) -> str:
    """Return a sentence for whoever waits for a cluster that gives no sign of life."""
    if cluster_liveness(timezone.now())[cluster].is_alive:
        return ""
    return f"The cluster {cluster} gives no sign of life; the file waits until it runs (manage.py qcluster)."


def _counted(tables: dict[str, tuple[int, int]]) -> str:
    """Return how many rows of which tables go and come back."""
    told = [
        f"{table.replace('_', ' ')}: {removed:,} removed, {restored:,} restored"
        for table, (removed, restored) in tables.items()
        if removed or restored
    ]
    return "; ".join(told) or "no row changes"
