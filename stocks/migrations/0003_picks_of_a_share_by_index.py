"""The past picks of one share are found by its symbol, without reading the lists of years."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("stocks", "0002_facts_of_a_day_by_index")]

    operations = [
        migrations.AddIndex(
            model_name="suggestedstock",
            index=models.Index(fields=["symbol", "-date"], name="idx_daily_suggested_symbol"),
        ),
    ]
