import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="AlertTimer",
            fields=[
                ("name", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("since", models.DateTimeField(help_text="first use")),
                ("next_at", models.DateTimeField()),
                ("failures", models.PositiveIntegerField(default=0, help_text="in a row; each doubles the pause")),
                ("succeeded_at", models.DateTimeField(blank=True, null=True)),
                ("last_error", models.TextField(blank=True)),
            ],
            options={
                "db_table": "alert_timers",
            },
        ),
        migrations.CreateModel(
            name="Trouble",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "key",
                    models.CharField(
                        help_text="what is watched, and which: jobs:pipeline, clusters:ml", max_length=200
                    ),
                ),
                ("title", models.TextField(help_text="what is wrong, as it was when it was noticed")),
                ("remedy", models.TextField(blank=True)),
                ("since", models.DateTimeField()),
                ("last_seen_at", models.DateTimeField()),
                ("over_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "db_table": "troubles",
                "ordering": ("-since", "key"),
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("over_at", None)), fields=("key",), name="troubles_one_open"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="AlertDelivery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("event", models.CharField(choices=[("begun", "Begun"), ("over", "Over")], max_length=5)),
                ("channel", models.CharField(max_length=40)),
                (
                    "delivered_at",
                    models.DateTimeField(blank=True, help_text="empty: waits, and is tried again", null=True),
                ),
                (
                    "trouble",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="deliveries", to="tradingsite.trouble"
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "alert deliveries",
                "db_table": "alert_deliveries",
                "ordering": ("-id",),
                "indexes": [
                    models.Index(
                        condition=models.Q(("delivered_at", None)),
                        fields=["channel"],
                        name="idx_alert_deliveries_waiting",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("trouble", "event", "channel"), name="alert_deliveries_once")
                ],
            },
        ),
    ]
