from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("stocks", "0012_picks_state_costs_entry_and_chances")]
    operations = [
        migrations.AlterField(
            model_name="publication",
            name="abstention",
            field=models.CharField(
                blank=True,
                choices=[
                    ("no_bars", "no_bars"),
                    ("data", "data"),
                    ("no_shares", "no_shares"),
                    ("model", "model"),
                    ("drift", "drift"),
                    ("skill", "skill"),
                    ("costs", "costs"),
                ],
                db_default="",
                default="",
                help_text="why it has no picks; empty: the conditions decided",
                max_length=12,
            ),
        ),
    ]
