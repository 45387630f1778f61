"""An alarm that was closed rings again for other facts: of an order's alarms of a kind, one at a time is open."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = (("portfolio", "0014_second_factors"),)

    operations = (
        migrations.AddField(
            model_name="orderalarm",
            name="facts",
            field=models.CharField(blank=True, db_default="", default="", help_text="what contradicts", max_length=100),
        ),
        migrations.RemoveConstraint(model_name="orderalarm", name="order_alarms_once"),
        migrations.AddConstraint(
            model_name="orderalarm",
            constraint=models.UniqueConstraint(
                condition=models.Q(closed_at=None), fields=("order", "alarm"), name="order_alarms_open_once"
            ),
        ),
    )
