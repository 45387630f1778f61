"""The four system strategies; each refers to the screening registry by its kind."""

from django.db import migrations

KINDS = ("growth", "value", "balanced", "momentum")


def add_strategies(apps, schema_editor):
    strategies = apps.get_model("portfolio", "Strategy").objects.using(schema_editor.connection.alias)
    for kind in KINDS:
        strategies.get_or_create(owner=None, name=kind, defaults={"kind": kind})


def remove_strategies(apps, schema_editor):
    strategies = apps.get_model("portfolio", "Strategy").objects.using(schema_editor.connection.alias)
    strategies.filter(owner=None, name__in=KINDS).delete()


class Migration(migrations.Migration):
    dependencies = [("portfolio", "0002_strategies_orders_trades_positions")]
    operations = [migrations.RunPython(add_strategies, remove_strategies)]
