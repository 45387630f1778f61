"""What limited the attempts at a step was `attempts`; that of an unfinished step goes on limiting them."""

from typing import Any

from django.db import migrations, models


def copy_attempts(apps: Any, schema_editor: Any) -> None:
    steps = apps.get_model("market_data", "PipelineStep").objects.using(schema_editor.connection.alias)
    steps.exclude(status="completed").update(fruitless_attempts=models.F("attempts"))


class Migration(migrations.Migration):
    dependencies = [
        ("market_data", "0014_attempts_are_stored"),
    ]

    operations = [migrations.RunPython(copy_attempts, migrations.RunPython.noop)]
