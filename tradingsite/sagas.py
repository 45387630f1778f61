"""The nightly back-up as a job like the others: seen in the console, claimed once, retried."""

from pathlib import Path

from django.conf import settings
from django.utils import timezone

from market_data import quality
from market_data.runs.saga import NO_SESSION, Saga, Step, StepContext, register_sagas
from tradingsite.backup import age, creation
from tradingsite.backup.archive import BackupError
from tradingsite.backup.creation import Made


def back_up(context: StepContext) -> Made | None:
    """Write a back-up into BACKUP_DIR, of which the last BACKUPS_KEPT stay, or where the run's options say."""
    elsewhere = context.run.options.get("to")
    if elsewhere is None and settings.BACKUPS_KEPT == 0:
        return None
    folder = Path(elsewhere) if elsewhere else settings.BACKUP_DIR
    # The run's own moment: a second attempt writes the same file again instead of another one.
    moment = context.run.id.removeprefix("backup_")
    path = folder / f"{settings.PROVIDER_KIND}_{moment}{creation.SUFFIX}"
    made = creation.create(path, timezone.now(), context.report)
    if elsewhere is None:
        creation.purge(folder, settings.PROVIDER_KIND, settings.BACKUPS_KEPT)
    context.log("backed up", file=str(made.path), megabytes=made.bytes >> 20, rows=made.rows)
    return made


def record_back_up(context: StepContext, made: Made | None) -> int:
    """Keep where the back-up is in the run's summary."""
    if made is None:
        context.summarise(backup="switched off (BACKUPS_KEPT=0)")
        return 0
    context.summarise(file=str(made.path), bytes=made.bytes, tables=made.tables, rows=made.rows)
    if made.missing_models:
        context.summarise(missing_models=made.missing_models)
    return made.rows


register_sagas(
    Saga(
        "backup",
        "Back-up",
        (Step("BACKUP", back_up, record_back_up, refusals=(BackupError,)),),
        command="backup",
        cron="0 4 * * *",  # after the selection, whatever the evening came to: it waits for nobody's success
        stands_for=NO_SESSION,
    )
)
quality.register_system_check(age.CHECK, age.backup_age_findings)
