"""Secrets are texts as `sealing.seal` returns them; nothing changes in the database."""

from django.db import migrations, models

import brokers.models


class Migration(migrations.Migration):
    dependencies = [("brokers", "0007_log_ins")]

    operations = [
        migrations.AlterField(
            model_name="brokerconfiguration",
            name="access_token",
            field=brokers.models.SealedField(blank=True, default=""),
        ),
        migrations.AlterField(
            model_name="brokerconfiguration",
            name="api_secret",
            field=brokers.models.SealedField(blank=True, default=""),
        ),
        migrations.AlterField(
            model_name="brokerconfiguration",
            name="key_id",
            field=models.CharField(
                blank=True, editable=False, help_text="id of the key that sealed its secrets; no secret", max_length=100
            ),
        ),
    ]
