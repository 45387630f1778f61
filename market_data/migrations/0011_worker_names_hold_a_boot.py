"""A worker's name holds the machine's boot id beside the host's name, which alone may have 64 characters."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("market_data", "0010_simulated_facts_name_the_simulator"),
    ]

    operations = [
        migrations.AlterField(model_name=model, name="worker", field=models.CharField(blank=True, max_length=200))
        for model in ("heartbeat", "pipelinestep")
    ]
