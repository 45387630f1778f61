"""A worker's name holds the machine's boot id beside the host's name, which alone may have 64 characters."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("market_data", "0007_reworded_help_texts"),
    ]

    operations = [
        migrations.AlterField(model_name=model, name="worker", field=models.CharField(blank=True, max_length=200))
        for model in ("heartbeat", "pipelinestep")
    ]
