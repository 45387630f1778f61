"""Steps that failed before they stored a runbook entry get the one their reason points to."""

import re

from django.db import migrations

# As the console derived the entry from the reason before the column existed: the first pattern that matches.
_PATTERNS = (
    (r"No space left|DiskFull|disk is full", "disk-full"),
    (r"has no bars for|is missing|put the day's file", "file-missing"),
    (r"could not be taken|truncated|could not be read|changed while|not believed|cannot be believed", "file-refused"),
    (r"did not answer|timed out|Retry-After|refused the connection|HTTP \d{3}|answered [45]\d\d", "source-silent"),
    (r"Market days are known|No session (on|after)", "calendar-ends"),
    (r"The fit ended with|No accepted model", "training-failed"),
    (r"its worker died|Interrupted|interrupted", "worker-died"),
    (r"server closed the connection|terminating connection|OperationalError|connection .* lost", "database-lost"),
    (r"failed a check|failed the check|tolerance", "check-failed"),
    (r"stock_filters|threshold", "filters-invalid"),
    (r"holds a (real|simulated) market", "other-market"),
    (r"back-up|BACKUP_DIR", "backup-failed"),
    (r"cancelled by", "cancelled"),
)


def name_runbook_entries(apps, schema_editor):
    stored = apps.get_model("market_data", "PipelineStep").objects.using(schema_editor.connection.alias)
    steps = stored.filter(status__in=("failed", "errored"), runbook="")
    changed = []
    for step in steps.only("pk", "reason").iterator():
        step.runbook = next((key for pattern, key in _PATTERNS if re.search(pattern, step.reason)), "")
        if step.runbook:
            changed.append(step)
    steps.bulk_update(changed, ["runbook"], batch_size=500)


class Migration(migrations.Migration):
    dependencies = [
        ("market_data", "0005_failed_steps_name_a_runbook_entry"),
    ]

    operations = [migrations.RunPython(name_runbook_entries, migrations.RunPython.noop)]
