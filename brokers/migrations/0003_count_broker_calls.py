"""The calls to brokers that the limits count."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("brokers", "0002_accounts_keep_their_person"),
    ]

    operations = [
        migrations.CreateModel(
            name="BrokerCall",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("broker", models.CharField(max_length=20)),
                ("account", models.CharField(max_length=100)),
                ("counter", models.CharField(help_text="which of the broker's limits it counts in", max_length=20)),
                ("ended_at", models.DateTimeField(help_text="when its answer came; until then, when its lease ends")),
            ],
            options={
                "db_table": "broker_calls",
                "indexes": [
                    models.Index(fields=["broker", "account", "counter", "ended_at"], name="idx_broker_calls_counted"),
                    models.Index(fields=["ended_at"], name="idx_broker_calls_ended"),
                ],
            },
        ),
    ]
