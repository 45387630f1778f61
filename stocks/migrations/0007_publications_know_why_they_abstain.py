from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("stocks", "0006_score_parts_read_from_reasons")]
    operations = [
        migrations.AddField(
            model_name="publication",
            name="abstention",
            field=models.CharField(
                blank=True,
                choices=[("no_bars", "no_bars"), ("data", "data"), ("no_shares", "no_shares"), ("model", "model")],
                db_default="",
                default="",
                help_text="why the whole session has no picks; empty: the conditions decided",
                max_length=12,
            ),
        ),
        migrations.AlterField(
            model_name="publication",
            name="reason",
            field=models.TextField(
                blank=True, help_text="why the list is empty or short, for operators; readers see `public_reason`"
            ),
        ),
    ]
