from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("ml", "0007_history_of_places"),
    ]

    operations = [
        migrations.AlterField(
            model_name="prediction",
            name="risk_raw",
            field=models.FloatField(
                blank=True, help_text="ratio, risk model: higher is a shallower drawdown, for ranking only", null=True
            ),
        ),
    ]
