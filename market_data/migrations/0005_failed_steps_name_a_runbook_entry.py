from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("market_data", "0004_evenings_can_be_held"),
    ]

    operations = [
        migrations.AddField(
            model_name="pipelinestep",
            name="runbook",
            field=models.TextField(
                blank=True, db_default="", default="", help_text="key of the entry in docs/RUNBOOK.md that helps"
            ),
        ),
    ]
