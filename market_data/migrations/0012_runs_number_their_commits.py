from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("market_data", "0011_worker_names_hold_a_boot"),
    ]

    operations = [
        migrations.AddField(
            model_name="pipelinerun",
            name="first_commit",
            field=models.BigIntegerField(blank=True, help_text="number of its first commit", null=True),
        ),
        migrations.AddField(
            model_name="pipelinerun",
            name="last_commit",
            field=models.BigIntegerField(
                blank=True, db_index=True, help_text="number of its last commit: the order of rollbacks", null=True
            ),
        ),
    ]
