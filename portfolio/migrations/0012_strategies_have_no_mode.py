from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("portfolio", "0011_right_to_sell_and_bound_permissions")]

    operations = [migrations.RemoveField("strategy", "mode")]
