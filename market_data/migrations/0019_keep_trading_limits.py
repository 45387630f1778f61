"""Price bands, surveillance, trade status and freeze quantity of each share and day, as published."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("market_data", "0018_source_files_know_their_status"),
    ]

    operations = [
        migrations.CreateModel(
            name="TradingLimits",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("symbol", models.CharField(help_text="the symbol need not be listed any longer", max_length=50)),
                ("date", models.DateField()),
                (
                    "lower_band",
                    models.FloatField(blank=True, help_text="₹, lowest price at which an order is taken", null=True),
                ),
                (
                    "upper_band",
                    models.FloatField(blank=True, help_text="₹, highest price at which an order is taken", null=True),
                ),
                (
                    "band",
                    models.CharField(
                        help_text="percent as the exchange publishes it, or No Band", max_length=20, null=True
                    ),
                ),
                (
                    "surveillance",
                    models.CharField(help_text="ASM or GSM stage, in the source's words", max_length=100, null=True),
                ),
                ("trade_status", models.CharField(help_text="in the source's words", max_length=20, null=True)),
                (
                    "freeze_quantity",
                    models.BigIntegerField(help_text="shares, from which the exchange refuses an order", null=True),
                ),
                ("source", models.CharField(max_length=60)),
                ("run_id", models.CharField(help_text="run that inserted the row", max_length=64, null=True)),
            ],
            options={
                "verbose_name_plural": "trading limits",
                "db_table": "trading_limits",
                "indexes": [models.Index(fields=["date", "symbol"], name="idx_limits_date_symbol")],
                "constraints": [models.UniqueConstraint(fields=("symbol", "date"), name="trading_limits_symbol_date")],
            },
        ),
    ]
