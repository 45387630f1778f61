"""Log-ins that people began at the pages of their brokers."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("brokers", "0006_accounts_know_addresses_key_and_data"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="BrokerLogIn",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "state_hash",
                    models.CharField(
                        help_text="SHA-256 of the state that the page brings back", max_length=64, unique=True
                    ),
                ),
                ("broker", models.CharField(max_length=20)),
                (
                    "session_hash",
                    models.CharField(help_text="SHA-256 of the session's key, or `command`", max_length=64),
                ),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("used_at", models.DateTimeField(null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="broker_log_ins",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "broker_log_ins",
                "indexes": [models.Index(fields=["created_at"], name="idx_broker_log_ins_created")],
            },
        ),
    ]
