"""The nightly back-up as a job like any other (shown in the console, claimed once, retried), and purges of log-ins."""

from pathlib import Path

from django.conf import settings
from django.utils import timezone

from brokers.accounts import drop_expired_tokens
from brokers.log_in import purge_log_ins
from market_data import quality
from market_data.runs.saga import NO_SESSION, Saga, Step, StepContext, register_purge, register_sagas
from tradingsite.audit.acts import record_act
from tradingsite.backup import age, creation
from tradingsite.backup.archive import BackupError
from tradingsite.backup.creation import Backup
from tradingsite.web import login_limits


def back_up(context: StepContext) -> Backup | None:
    """Write a back-up into BACKUP_DIR, keeping the last BACKUPS_KEPT, or into the folder of the run's options."""
    destination = context.run.options.get("to")
    if destination is None and settings.BACKUPS_KEPT == 0:
        return None
    folder = Path(destination) if destination else settings.BACKUP_DIR
    # Named by the run: a second attempt overwrites the file of the first.
    path = folder / f"{settings.PROVIDER_KIND}_{context.run.id.removeprefix('backup_')}{creation.SUFFIX}"
    backup = creation.create_backup(path, timezone.now(), context.report)
    if destination is None:
        creation.purge_backups(folder, settings.PROVIDER_KIND, settings.BACKUPS_KEPT)
    context.log("backed up", file=str(backup.path), megabytes=backup.bytes >> 20, rows=backup.rows)
    return backup


def record_back_up(context: StepContext, backup: Backup | None) -> int:
    """Record the back-up in the run's summary and in the audit."""
    if backup is None:
        context.summarise(backup="switched off (BACKUPS_KEPT=0)")
        return 0
    context.summarise(file=str(backup.path), bytes=backup.bytes, tables=backup.tables, rows=backup.rows)
    record_act("back-up", details={"file": str(backup.path), "rows": backup.rows}, run_id=context.run.id)
    if backup.missing_models:
        context.summarise(missing_models=backup.missing_models)
    return backup.rows


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
register_purge("log-ins", login_limits.purge_logins)
register_purge("log-ins at brokers", purge_log_ins)
register_purge("ended tokens of brokers", lambda _today: drop_expired_tokens(timezone.now()))
quality.register_system_check(age.CHECK, age.backup_age_findings)
