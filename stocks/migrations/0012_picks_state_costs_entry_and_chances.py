from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("stocks", "0011_standings_read_from_the_lists_in_force")]
    operations = [
        migrations.AddField(
            model_name="suggestedstock",
            name="excess_high",
            field=models.FloatField(
                blank=True,
                help_text="percent, upper end of the 80 % interval of the excess in the ten sessions held",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="suggestedstock",
            name="excess_low",
            field=models.FloatField(
                blank=True,
                help_text="percent, lower end of the 80 % interval of the excess in the ten sessions held",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="suggestedstock",
            name="expected_entry",
            field=models.FloatField(blank=True, help_text="₹, close × (1 + mean step to the next open)", null=True),
        ),
        migrations.AddField(
            model_name="suggestedstock",
            name="reward_to_risk",
            field=models.FloatField(
                blank=True,
                help_text="ratio, way from the expected entry up to the target over the way down to the stop",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="suggestedstock",
            name="round_trip_cost_pct",
            field=models.FloatField(
                blank=True, help_text="percent of the value, charges and impact of buying and selling once", null=True
            ),
        ),
        migrations.AddField(
            model_name="suggestedstock",
            name="stop_probability",
            field=models.FloatField(
                blank=True, help_text="0-1, chance that the ten sessions' lowest low undercuts the stop", null=True
            ),
        ),
        migrations.AddField(
            model_name="suggestedstock",
            name="target_probability",
            field=models.FloatField(
                blank=True, help_text="0-1, chance that the ten sessions' highest high reaches the target", null=True
            ),
        ),
        migrations.AlterField(
            model_name="suggestedstock",
            name="ml_prediction_score",
            field=models.FloatField(
                blank=True, help_text="0-1, percentile of the predicted excess in the tradable universe", null=True
            ),
        ),
        migrations.AlterField(
            model_name="suggestedstock",
            name="ml_price_target",
            field=models.FloatField(
                blank=True,
                help_text="₹, expected at the exit: expected entry × (1 + expected absolute return)",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="suggestedstock",
            name="predicted_return",
            field=models.FloatField(
                blank=True,
                help_text="percent, expected excess over the day's mean share in the ten sessions held",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="suggestedstock",
            name="stop_loss",
            field=models.FloatField(
                blank=True,
                help_text="₹, level that the lowest low undercuts with `stop_probability`, rounded down to the tick",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="suggestedstock",
            name="target_price",
            field=models.FloatField(
                blank=True,
                help_text="₹, level that the highest high reaches with `target_probability`, rounded to the tick",
                null=True,
            ),
        ),
        migrations.AddConstraint(
            model_name="suggestedstock",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("recommendation", "STRONG_BUY"), _negated=True),
                    ("reward_to_risk__gte", 0.2),
                    _connector="OR",
                ),
                name="picks_strong_buy_is_rewarded",
            ),
        ),
    ]
