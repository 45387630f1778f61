"""How far the calendar reaches becomes a table of its own."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("market_data", "0015_unfinished_steps_keep_their_limit"),
    ]

    operations = [
        migrations.CreateModel(
            name="CalendarYear",
            fields=[
                ("year", models.PositiveSmallIntegerField(primary_key=True, serialize=False)),
                ("first", models.DateField(help_text="first day that is known")),
                ("last", models.DateField(help_text="last day that is known")),
                ("source", models.CharField(max_length=60)),
                ("run_id", models.CharField(blank=True, max_length=64, null=True)),
            ],
            options={"db_table": "market_years", "ordering": ("-year",)},
        ),
    ]
