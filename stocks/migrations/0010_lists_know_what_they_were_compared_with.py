import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("stocks", "0009_publications_are_chained"),
    ]

    operations = [
        migrations.AddField(
            model_name="publication",
            name="departures",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="shares that left: symbol, last rank, place now, or why it no longer passes",
            ),
        ),
        migrations.AddField(
            model_name="publication",
            name="previous",
            field=models.ForeignKey(
                blank=True,
                help_text="the list before, with which it was compared; empty: there was none, or it is no longer kept",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="stocks.publication",
            ),
        ),
        migrations.AddField(
            model_name="suggestedstock",
            name="listed_since",
            field=models.DateField(blank=True, help_text="first session of its unbroken stay on the list", null=True),
        ),
        migrations.AddField(
            model_name="suggestedstock",
            name="place",
            field=models.PositiveIntegerField(
                blank=True, help_text="among all shares that passed, 1 is the best", null=True
            ),
        ),
        migrations.AddField(
            model_name="suggestedstock",
            name="standing",
            field=models.CharField(
                blank=True,
                choices=[("new", "new"), ("kept", "kept")],
                help_text="new, or kept from the list before",
                max_length=4,
                null=True,
            ),
        ),
    ]
