"""Accounts know their registered addresses, whether they read data for everybody, and the key of their secrets."""

from django.conf import settings
from django.db import migrations, models

import brokers.registered_ips


class Migration(migrations.Migration):
    dependencies = [
        ("brokers", "0005_imported_contract_notes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="brokerconfiguration",
            name="is_data_account",
            field=models.BooleanField(
                default=False,
                help_text="reads this broker's quotes and lists for everybody",
                verbose_name="account for data",
            ),
        ),
        migrations.AddField(
            model_name="brokerconfiguration",
            name="key_id",
            field=models.CharField(
                blank=True,
                editable=False,
                help_text="ids of the keys that sealed its secrets; no secret",
                max_length=100,
            ),
        ),
        migrations.AddField(
            model_name="brokerconfiguration",
            name="registered_ips",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text='a list of at most two addresses from which the broker takes orders, as ["203.0.113.7"]',
                validators=[brokers.registered_ips.validate_registered_ips],
                verbose_name="registered addresses",
            ),
        ),
        migrations.AddConstraint(
            model_name="brokerconfiguration",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_data_account", True)),
                fields=("broker",),
                name="broker_configurations_data_account",
                violation_error_message="Another account reads this broker's data: unmark that one first.",
            ),
        ),
    ]
