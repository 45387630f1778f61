"""CSV uploads in the admin: the form, a file's page with the result of its check, import and rollback."""

import csv
import io
from collections.abc import Callable, Sequence
from typing import Any, cast

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

from market_data.imports.kinds import KINDS
from market_data.imports.parsing import MAX_BYTES, MAX_ROWS
from market_data.models import ImportedFile, PipelineRun
from market_data.runs import rollback
from market_data.runs.prerequisites import describe_all, outstanding
from market_data.runs.saga import SagaError
from stocks.admin import TableAdmin, coloured
from stocks.units import count_text
from tradingsite.clusters.progress import cluster_liveness
from tradingsite.imports import uploads
from tradingsite.imports.rights import importable, may_import
from tradingsite.operations.rights import may_operate

_NAME = "admin:market_data_importedfile"
_COLOURS = {
    "imported": "success",
    "rolled back": "warning",
    "failed": "danger",
    "rejected": "danger",
    "running": "info",
}


class UploadForm(forms.Form):
    """A file and the kind of rows it holds."""

    kind = forms.ChoiceField(
        label="Contents",
        widget=UnfoldAdminSelectWidget,
        error_messages={"invalid_choice": "These contents are none that you may import: choose one of the list."},
    )
    file = forms.FileField(
        label="CSV file",
        help_text=f"UTF-8 or UTF-16, plain, zip or gzip; up to {count_text(MAX_ROWS)} rows and {MAX_BYTES >> 20} MB.",
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,.zip,.gz,text/csv"}),
    )

    def __init__(self, kinds: Sequence[str], *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        choices = [(name, KINDS[name].title) for name in kinds]
        cast("forms.ChoiceField", self.fields["kind"]).choices = choices

    def clean_file(self) -> Any:
        """Reject a file that is too large before it is read."""
        file = self.cleaned_data["file"]
        if file.size > MAX_BYTES:
            raise forms.ValidationError(
                f"{file.name} has {file.size >> 20} MB, more than {MAX_BYTES >> 20}; import it in parts."
            )
        return file


@admin.register(ImportedFile)
class ImportedFileAdmin(TableAdmin):
    """Uploaded files: each is checked, then imported, and can be rolled back."""

    list_display = ("name", "contents", "uploaded_at", "uploaded_by", "size", "state")
    list_filter = ("kind",)
    search_fields = ("name", "uploaded_by")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # the cleanup deletes them

    def get_queryset(self, request: HttpRequest) -> "QuerySet[ImportedFile]":
        """Leave the bytes in the database, and fetch the status of both runs with the list."""
        run_status = {
            name: Subquery(PipelineRun.objects.filter(pk=OuterRef(f"{name}_run_id")).values("status"))
            for name in ("check", "import")
        }
        files: QuerySet[ImportedFile] = super().get_queryset(request).defer("content")
        refusal = Subquery(PipelineRun.objects.filter(pk=OuterRef("check_run_id")).values("summary__refused"))
        return files.annotate(
            check_status=run_status["check"], import_status=run_status["import"], check_refused=refusal
        )

    @admin.display(ordering="kind")
    def contents(self, file: ImportedFile) -> str:
        return KINDS[file.kind].title if file.kind in KINDS else file.kind

    @coloured("kind", _COLOURS)
    def state(self, file: Any) -> tuple[str, str]:
        labels = {"completed": "imported", "rolled_back": "rolled back", "failed": "failed", "cancelled": "cancelled"}
        if file.import_status:
            label = labels.get(file.import_status, "running")
        elif file.check_refused:
            label = "rejected"
        else:
            label = "checked" if file.check_status == "completed" else "not checked"
        return label, label

    def get_urls(self) -> list[URLPattern]:
        own = [
            path("columns/<str:kind>.csv", self._page(template_file), name="market_data_importedfile_columns"),
            path("<int:key>/progress/", self._page(self.progress), name="market_data_importedfile_progress"),
            path("<int:key>/undo/", self._page(self.roll_back, may_operate), name="market_data_importedfile_undo"),
        ]
        own += [
            path(f"<int:key>/{name}/", self._page(require_POST(view)), name=f"market_data_importedfile_{name}")
            for name, view in (("check", self.check_again), ("import", self.import_rows))
        ]
        inherited: list[URLPattern] = super().get_urls()
        return own + inherited

    def _page(
        self, view: Callable[..., HttpResponseBase], and_may: Callable[[Any], bool] = lambda _user: True
    ) -> Callable[..., HttpResponseBase]:
        """Restrict a view to staff who may upload files, and perhaps to some of them."""

        def allowed(request: HttpRequest, **arguments: Any) -> HttpResponseBase:
            if not (self.has_add_permission(request) and and_may(request.user)):
                raise PermissionDenied
            return view(request, **arguments)

        page: Callable[..., HttpResponseBase] = self.admin_site.admin_view(allowed)
        return page

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        kinds = importable(request.user)
        if not kinds:
            raise PermissionDenied
        form = UploadForm(kinds, request.POST or None, request.FILES or None, initial={"kind": request.GET.get("kind")})
        if request.method == "POST" and form.is_valid():
            upload = form.cleaned_data["file"]
            by = request.user.get_username()
            try:
                file = uploads.store_upload(upload.read(), upload.name, form.cleaned_data["kind"], by)
            except SagaError as error:
                form.add_error("file", str(error))
            else:
                self._start(request, lambda: uploads.start_check(file, by))
                return HttpResponseRedirect(reverse(f"{_NAME}_change", args=[file.pk]))
        return self._template(
            request,
            "upload",
            {"title": "Upload a CSV file", "form": form, "kinds": {name: KINDS[name] for name in kinds}},
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show the result of a file's check and what became of it."""
        if request.method not in ("GET", "HEAD") or not self.has_view_permission(request):
            raise PermissionDenied
        file = self.get_object(request, object_id)
        if file is None:
            raise Http404
        state = uploads.state_of(file)
        context = {
            "title": file.name,
            "file": file,
            "kind": KINDS.get(file.kind),
            "state": state,
            "report": state.report,
            "may_upload": may_import(request.user, file.kind),
            "may_undo": may_import(request.user, file.kind) and may_operate(request.user),
            "waiting": _waiting_notice(state.active) if state.active else "",
        }
        return self._template(request, "file", context)

    def progress(self, request: HttpRequest, key: int) -> HttpResponse:
        """Progress of the active run, as JSON for the page's script."""
        run = uploads.state_of(_file(request, key)).active
        if run is None:
            return JsonResponse({"at_work": False})
        steps = list(run.steps.values_list("progress", flat=True))
        return JsonResponse({"at_work": True, "run": run.id, "progress": sum(steps) / max(len(steps), 1)})

    def check_again(self, request: HttpRequest, key: int) -> HttpResponse:
        """Check the file again, against the present database."""
        file = _file(request, key)
        self._start(request, lambda: uploads.start_check(file, request.user.get_username()))
        return _redirect_to_file(key)

    def import_rows(self, request: HttpRequest, key: int) -> HttpResponse:
        file, only_good = _file(request, key), "only_good" in request.POST
        self._start(request, lambda: uploads.start_import(file, request.user.get_username(), only_good=only_good))
        return _redirect_to_file(key)

    def roll_back(self, request: HttpRequest, key: int) -> HttpResponse:
        """Show exactly what rolling the import back would change; a POST does it."""
        file = _file(request, key)
        try:
            if request.method == "POST":
                undone = uploads.roll_back_import(file, request.user.get_username())
                messages.success(request, f"{file.name} was rolled back: {_row_counts(undone)}.")
                return _redirect_to_file(key)
            planned = rollback.planned_rollback(file.import_run_id)
        except SagaError as error:
            messages.error(request, str(error))
            return _redirect_to_file(key)
        context = {"title": f"Roll {file.name} back", "file": file, "planned": _row_counts(planned)}
        return self._template(request, "roll_back", context)

    def _start(self, request: HttpRequest, start: Callable[[], PipelineRun]) -> None:
        try:
            run = start()
        except SagaError as error:
            messages.error(request, str(error))
        else:
            messages.info(request, f"Started as {run.id}.")

    def _template(self, request: HttpRequest, name: str, context: dict[str, Any]) -> TemplateResponse:
        shared = {**self.admin_site.each_context(request), "opts": self.opts}
        return TemplateResponse(request, f"tradingsite/imports/{name}.html", shared | context)


def template_file(request: HttpRequest, kind: str) -> HttpResponse:
    """A CSV file with only the header of a kind, to be filled in."""
    if kind not in KINDS:
        raise Http404
    line = io.StringIO()
    csv.writer(line).writerow(column.name for column in KINDS[kind].columns)
    name = f'attachment; filename="{kind}.csv"'
    return HttpResponse(line.getvalue(), content_type="text/csv; charset=utf-8", headers={"Content-Disposition": name})


def _file(request: HttpRequest, key: int) -> ImportedFile:
    """A file of a kind that the user may import."""
    file = get_object_or_404(ImportedFile.objects.defer("content"), pk=key)
    if not may_import(request.user, file.kind):
        raise PermissionDenied
    return file


def _redirect_to_file(key: int) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse(f"{_NAME}_change", args=[key]))


def _waiting_notice(run: PipelineRun) -> str:
    """Why a file's run is not at work, as a sentence; empty while nothing keeps it."""
    awaited = outstanding(run) if run.status == PipelineRun.Status.WAITING else []
    return f"It waits for {describe_all(awaited)}." if awaited else cluster_notice("data")


def cluster_notice(cluster: str) -> str:
    """What to tell a user whose file waits for a cluster; empty while the cluster is alive."""
    if cluster_liveness(timezone.now())[cluster].is_alive:
        return ""
    return f"The cluster {cluster} is not responding; the file waits until it runs again (manage.py qcluster)."


def _row_counts(tables: dict[str, tuple[int, int]]) -> str:
    counts = [
        f"{table.replace('_', ' ')}: {count_text(removed)} removed, {count_text(restored)} restored"
        for table, (removed, restored) in tables.items()
        if removed or restored
    ]
    return "; ".join(counts) or "no row changes"
