"""The key of the app through which an account is reached."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("brokers", "0003_count_broker_calls"),
    ]

    operations = [
        migrations.AddField(
            model_name="brokerconfiguration",
            name="app_key",
            field=models.CharField(blank=True, help_text="Kite's API key; Fyers' app id (XXXX-100)", max_length=100),
        ),
    ]
