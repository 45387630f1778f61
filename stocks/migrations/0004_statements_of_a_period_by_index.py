"""Statements of one period are found by an index; sectors bear the exchange's spelling."""

from django.db import migrations, models

from stocks.universe.sectors import exchange_spelling as spelled


def respell(apps, schema_editor):
    stocks = apps.get_model("stocks", "Stock").objects.using(schema_editor.connection.alias)
    for name in list(stocks.exclude(sector=None).values_list("sector", flat=True).distinct()):
        if spelled(name) != name:
            stocks.filter(sector=name).update(sector=spelled(name))


class Migration(migrations.Migration):
    dependencies = [("stocks", "0003_picks_of_a_share_by_index")]

    operations = [
        migrations.AddIndex(
            model_name="financialstatement",
            index=models.Index(fields=["period_end", "symbol"], name="idx_statements_period_symbol"),
        ),
        migrations.RunPython(respell, migrations.RunPython.noop),
    ]
