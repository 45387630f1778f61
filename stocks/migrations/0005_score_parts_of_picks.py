"""The parts of a pick's score as data; plainer help texts."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("stocks", "0004_statements_of_a_period_by_index"),
    ]

    operations = [
        migrations.AddField(
            model_name="suggestedstock",
            name="score_parts",
            field=models.JSONField(
                blank=True,
                help_text="part of the score → its value, 0-1; a part whose input was missing is absent",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="financialstatement",
            name="eps",
            field=models.FloatField(blank=True, help_text="₹ per share for the period", null=True),
        ),
        migrations.AlterField(
            model_name="financialstatement",
            name="published_assumed",
            field=models.BooleanField(
                default=False,
                help_text="the source gives no date: 60 days after a quarter, 75 after a year are assumed",
            ),
        ),
        migrations.AlterField(
            model_name="financialstatement",
            name="symbol",
            field=models.CharField(help_text="need not be listed any more", max_length=50),
        ),
        migrations.AlterField(
            model_name="fundamentalsnapshot",
            name="close",
            field=models.FloatField(blank=True, help_text="₹, close that the screener showed", null=True),
        ),
        migrations.AlterField(
            model_name="fundamentalsnapshot",
            name="eps_quarter_last_year",
            field=models.FloatField(blank=True, help_text="₹ per share, same quarter of the year before", null=True),
        ),
        migrations.AlterField(
            model_name="fundamentalsnapshot",
            name="net_profit_quarter_last_year",
            field=models.FloatField(blank=True, help_text="₹ crore, same quarter of the year before", null=True),
        ),
        migrations.AlterField(
            model_name="fundamentalsnapshot",
            name="sales_quarter_last_year",
            field=models.FloatField(blank=True, help_text="₹ crore, same quarter of the year before", null=True),
        ),
        migrations.AlterField(
            model_name="fundamentalsnapshot",
            name="snapshot",
            field=models.DateField(help_text="evening of the figures; usable from the next session on"),
        ),
        migrations.AlterField(
            model_name="publication",
            name="reason",
            field=models.TextField(blank=True, help_text="why the list is empty or short"),
        ),
        migrations.AlterField(
            model_name="publication",
            name="run_id",
            field=models.CharField(help_text="selection run that published it", max_length=64),
        ),
        migrations.AlterField(
            model_name="stock",
            name="current_price",
            field=models.FloatField(blank=True, help_text="₹, close of the session", null=True),
        ),
        migrations.AlterField(
            model_name="stock",
            name="historical_volatility_1y",
            field=models.FloatField(
                blank=True, help_text="percent a year, from the daily log returns of 252 sessions", null=True
            ),
        ),
        migrations.AlterField(
            model_name="stock",
            name="kind_source",
            field=models.CharField(blank=True, help_text="source of the kind", max_length=60, null=True),
        ),
        migrations.AlterField(
            model_name="stock",
            name="net_margin",
            field=models.FloatField(blank=True, help_text="percent, attributable net income over revenue", null=True),
        ),
        migrations.AlterField(
            model_name="stockmetrics",
            name="current_price",
            field=models.FloatField(blank=True, help_text="₹, close of the session", null=True),
        ),
        migrations.AlterField(
            model_name="stockmetrics",
            name="historical_volatility_1y",
            field=models.FloatField(
                blank=True, help_text="percent a year, from the daily log returns of 252 sessions", null=True
            ),
        ),
        migrations.AlterField(
            model_name="stockmetrics",
            name="issue_size",
            field=models.BigIntegerField(blank=True, help_text="issued shares as known on the date", null=True),
        ),
        migrations.AlterField(
            model_name="stockmetrics",
            name="net_margin",
            field=models.FloatField(blank=True, help_text="percent, attributable net income over revenue", null=True),
        ),
        migrations.AlterField(
            model_name="suggestedstock",
            name="ml_risk_score",
            field=models.FloatField(
                blank=True, help_text="0-1, mapped from the predicted drawdown; lower is safer", null=True
            ),
        ),
        migrations.AlterField(
            model_name="suggestedstock",
            name="predicted_drawdown",
            field=models.FloatField(
                blank=True, help_text="percent below the entry, worst low within ten sessions", null=True
            ),
        ),
        migrations.AlterField(
            model_name="symbolchange",
            name="proof",
            field=models.CharField(help_text="exchange, isin or prev_close", max_length=20),
        ),
    ]
