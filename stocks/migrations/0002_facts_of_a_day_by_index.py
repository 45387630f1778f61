"""A day's report pack is found by its date, without reading the packs of years."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("stocks", "0001_stocks_facts_and_picks")]

    operations = [
        migrations.AddIndex(
            model_name="exchangefact",
            index=models.Index(fields=["date", "symbol"], name="idx_facts_date_symbol"),
        ),
    ]
