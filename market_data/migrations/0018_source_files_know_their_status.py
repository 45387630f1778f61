"""A session's file says whether its bars are the exchange's own; those of all stored files are."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = (("market_data", "0017_covered_years_from_market_days"),)

    operations = (
        migrations.AddField(
            model_name="sourcefile",
            name="status",
            field=models.CharField(
                choices=[("provisional", "Provisional"), ("final", "Final")],
                db_default="final",
                default="final",
                help_text="of its bars; models train and picks publish on final ones",
                max_length=12,
            ),
        ),
    )
