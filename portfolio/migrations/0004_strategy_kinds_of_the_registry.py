"""The kinds of strategies come from the screening registry; nothing changes in the database."""

from django.db import migrations, models

import portfolio.models


class Migration(migrations.Migration):
    dependencies = [("portfolio", "0003_system_strategies")]
    operations = [
        migrations.AlterField(
            model_name="strategy",
            name="kind",
            field=models.CharField(choices=portfolio.models.strategy_kinds, max_length=50),
        ),
    ]
