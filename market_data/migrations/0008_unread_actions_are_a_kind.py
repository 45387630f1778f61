from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("market_data", "0007_reworded_help_texts"),
    ]

    operations = [
        migrations.AlterField(
            model_name="corporateaction",
            name="kind",
            field=models.CharField(
                help_text="split, bonus, consolidation, dividend, rights, demerger, capital_reduction, unread (a split or"
                " bonus whose wording could not be read), other",
                max_length=20,
            ),
        ),
    ]
