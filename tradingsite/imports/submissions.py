"""A file is handed in, judged, imported, undone: what the page's buttons do, each as a run of the log."""

import hashlib
from typing import Any, Final, NamedTuple

from market_data import tasks
from market_data.imports.judging import MAX_BYTES
from market_data.imports.kinds import KINDS
from market_data.imports.steps import run_at_work_on
from market_data.models import ImportedFile, PipelineRun
from market_data.runs import lifecycle, rollback
from market_data.runs.saga import SagaError

CHECK: Final = "check_csv"
IMPORT: Final = "import_csv"
_MAX_NAME: Final = 100


class State(NamedTuple):
    """How far a file has come: its runs, and the report of the one that judged it."""

    check: PipelineRun | None
    imported: PipelineRun | None

    @property
    def report(self) -> dict[str, Any]:
        """Return what the check found; empty while it is at work."""
        done = self.check is not None and self.check.status == PipelineRun.Status.COMPLETED
        return self.check.summary if self.check and done else {}

    @property
    def at_work(self) -> PipelineRun | None:
        """Return the run that is at work."""
        return next((run for run in (self.imported, self.check) if run and run.status in PipelineRun.ACTIVE), None)

    @property
    def may_import(self) -> bool:
        """Whether there are good rows that were not written yet."""
        written = self.imported is not None and self.imported.status in (
            *PipelineRun.ACTIVE,
            PipelineRun.Status.COMPLETED,
        )
        return bool(self.report.get("good")) and not self.report.get("refused") and not written

    @property
    def may_undo(self) -> bool:
        """Whether its rows were written and stand."""
        return self.imported is not None and self.imported.status == PipelineRun.Status.COMPLETED


def state_of(file: ImportedFile) -> State:
    """Return a file's runs."""
    found = PipelineRun.objects.in_bulk([file.check_run_id, file.import_run_id])
    return State(found.get(file.check_run_id), found.get(file.import_run_id))


def hand_in(content: bytes, name: str, kind: str, by: str) -> ImportedFile:
    """Keep a file.

    Raises
    ------
    SagaError
        When it is too large or of no kind there is.
    """
    if kind not in KINDS:
        raise SagaError(f"There is no kind {kind[:40]!r}; the kinds are {', '.join(KINDS)}.")
    if len(content) > MAX_BYTES:
        raise SagaError(f"{name} holds more than {MAX_BYTES:,} bytes and is refused; import it in parts.")
    return ImportedFile.objects.create(
        name=_plain(name),
        kind=kind,
        content=content,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        uploaded_by=by,
    )


def _plain(name: str) -> str:
    """Return a file's name without what a page, a log or a spreadsheet would take for something else."""
    kept = "".join(letter for letter in name if letter.isalnum() or letter in "._- ()")
    return kept.lstrip("-. ")[:_MAX_NAME] or "file.csv"


def start_check(file: ImportedFile, by: str) -> PipelineRun:
    """Judge a file, in the background.

    Raises
    ------
    AlreadyRunning
        When another one is being judged.
    """
    run = lifecycle.create_run(CHECK, None, triggered_by=by, options={"file": file.pk})
    ImportedFile.objects.filter(pk=file.pk).update(check_run_id=run.id)
    tasks.deliver(run)
    return run


def start_import(file: ImportedFile, by: str, *, only_good: bool) -> PipelineRun:
    """Write a judged file's rows, in the background.

    Raises
    ------
    SagaError
        When it was not judged, holds bad rows and `only_good` was not asked for, stands already, or another run is at
        work on the same tables; AlreadyRunning when another import is.
    """
    state = state_of(file)
    if not state.may_import:
        raise SagaError(f"{file.name} has no rows to import now; its page says why.")
    bad = state.report["bad"]
    if bad and not only_good:
        raise SagaError(f"{bad} rows of {file.name} are bad: correct the file, or ask for the good rows alone.")
    if other := run_at_work_on(KINDS[file.kind]):
        raise SagaError(f"{other.id} is at work on the same tables; import {file.name} when it has ended.")
    run = lifecycle.create_run(IMPORT, None, triggered_by=by, options={"file": file.pk, "only_good": only_good})
    ImportedFile.objects.filter(pk=file.pk).update(import_run_id=run.id)
    tasks.deliver(run)
    return run


def undo(file: ImportedFile, by: str) -> dict[str, tuple[int, int]]:
    """Take an import back; return table → rows removed and rows restored.

    Raises
    ------
    SagaError
        When nothing of it stands, or a later run built on it.
    """
    if not state_of(file).may_undo:
        raise SagaError(f"No rows of {file.name} stand that could be taken back.")
    return rollback.roll_back(file.import_run_id, by)
