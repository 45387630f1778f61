"""The life of an uploaded file: stored, checked, imported, rolled back; each but the first is a run."""

import hashlib
from typing import Any, Final, NamedTuple

from django.db import transaction

from market_data import tasks
from market_data.imports.kinds import KINDS
from market_data.imports.parsing import MAX_BYTES
from market_data.models import ImportedFile, PipelineRun
from market_data.runs import lifecycle, rollback
from market_data.runs.saga import SagaError

CHECK: Final = "check_csv"
IMPORT: Final = "import_csv"
_MAX_NAME: Final = 100


class UploadState(NamedTuple):
    """The runs of an uploaded file: its latest check and its latest import."""

    check: PipelineRun | None
    imported: PipelineRun | None

    @property
    def report(self) -> dict[str, Any]:
        """The check's findings; empty until it has completed."""
        is_checked = self.check is not None and self.check.status == PipelineRun.Status.COMPLETED
        return self.check.summary if self.check and is_checked else {}

    @property
    def active(self) -> PipelineRun | None:
        return next((run for run in (self.imported, self.check) if run and run.status in PipelineRun.ACTIVE), None)

    @property
    def may_import(self) -> bool:
        """Whether there are valid rows that have not been imported yet."""
        begun = (*PipelineRun.ACTIVE, PipelineRun.Status.COMPLETED)
        is_imported = self.imported is not None and self.imported.status in begun
        return bool(self.report.get("good")) and not self.report.get("refused") and not is_imported

    @property
    def may_roll_back(self) -> bool:
        return self.imported is not None and self.imported.status == PipelineRun.Status.COMPLETED


def state_of(file: ImportedFile) -> UploadState:
    runs = PipelineRun.objects.in_bulk([file.check_run_id, file.import_run_id])
    return UploadState(runs.get(file.check_run_id), runs.get(file.import_run_id))


def store_upload(content: bytes, name: str, kind: str, by: str) -> ImportedFile:
    """Store an uploaded file; nothing is read yet.

    Raises
    ------
    SagaError
        When it is too large or of an unknown kind.
    """
    if kind not in KINDS:
        raise SagaError(f"There is no kind {kind[:40]!r}; the kinds are {', '.join(KINDS)}.")
    if len(content) > MAX_BYTES:
        raise SagaError(f"{name} holds more than {MAX_BYTES:,} bytes and was rejected; import it in parts.")
    return ImportedFile.objects.create(
        name=_safe_name(name),
        kind=kind,
        content=content,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        uploaded_by=by,
    )


def _safe_name(name: str) -> str:
    """A file name without characters that mean something in a page, a path, a log or a spreadsheet formula."""
    safe = "".join(letter for letter in name if letter.isalnum() or letter in "._- ()")
    return safe.lstrip("-. ")[:_MAX_NAME] or "file.csv"


def start_check(file: ImportedFile, by: str) -> PipelineRun:
    """Check a file in the background, while no run writes the tables of an import; nothing is written.

    Raises
    ------
    AlreadyRunning
        When another file is being checked.
    """
    with transaction.atomic():
        run = lifecycle.create_run(CHECK, None, triggered_by=by, options={"file": file.pk})
        ImportedFile.objects.filter(pk=file.pk).update(check_run_id=run.id)
    tasks.deliver(run)
    return run


def start_import(file: ImportedFile, by: str, *, only_good: bool) -> PipelineRun:
    """Import the rows of a checked file in the background, when it is its turn on the tables.

    Raises
    ------
    SagaError
        When the file is not checked or already imported, or has bad rows without `only_good`.
    AlreadyRunning
        When another import is active.
    """
    with transaction.atomic():
        # Read under the lock: of two who import a file at once, the second sees what the first did.
        lifecycle.lock_run_creation()
        state = state_of(ImportedFile.objects.get(pk=file.pk))
        if not state.may_import:
            raise SagaError(f"{file.name} has no rows to import now; its page says why.")
        bad = state.report["bad"]
        if bad and not only_good:
            raise SagaError(f"{bad} rows of {file.name} are bad: correct the file, or import only the good rows.")
        run = lifecycle.create_run(IMPORT, None, triggered_by=by, options={"file": file.pk, "only_good": only_good})
        ImportedFile.objects.filter(pk=file.pk).update(import_run_id=run.id)
    tasks.deliver(run)
    return run


def roll_back_import(file: ImportedFile, by: str) -> dict[str, tuple[int, int]]:
    """Roll an import back; return table → (rows removed, rows restored).

    Raises
    ------
    SagaError
        When there is nothing to roll back, or a later run built on it.
    """
    if not state_of(file).may_roll_back:
        raise SagaError(f"{file.name} has no imported rows to roll back.")
    return rollback.roll_back(file.import_run_id, by)
