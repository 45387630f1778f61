"""The four system strategies; each refers to the screening registry by its kind."""

from django.db import migrations

KINDS = ("growth", "value", "balanced", "momentum")


def add_strategies(apps, schema_editor):
    strategy = apps.get_model("portfolio", "Strategy")
    for kind in KINDS:
        strategy.objects.get_or_create(owner=None, name=kind, defaults={"kind": kind})


def remove_strategies(apps, schema_editor):
    apps.get_model("portfolio", "Strategy").objects.filter(owner=None, name__in=KINDS).delete()


class Migration(migrations.Migration):
    dependencies = [("portfolio", "0002_strategies_orders_trades_positions")]
    operations = [migrations.RunPython(add_strategies, remove_strategies)]
