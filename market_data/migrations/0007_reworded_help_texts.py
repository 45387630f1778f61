from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("market_data", "0006_stored_failures_name_a_runbook_entry"),
    ]

    operations = [
        migrations.AlterField(
            model_name="corporateaction",
            name="symbol",
            field=models.CharField(help_text="the symbol need not be listed any longer", max_length=50),
        ),
        migrations.AlterField(
            model_name="importedfile",
            name="check_run_id",
            field=models.CharField(blank=True, help_text="run that checked it", max_length=64),
        ),
        migrations.AlterField(
            model_name="importedfile",
            name="content",
            field=models.BinaryField(help_text="as uploaded"),
        ),
        migrations.AlterField(
            model_name="importedfile",
            name="import_run_id",
            field=models.CharField(blank=True, help_text="run that imported it", max_length=64),
        ),
        migrations.AlterField(
            model_name="importedfile",
            name="kind",
            field=models.CharField(help_text="what it contains: an entry of market_data.imports.kinds", max_length=40),
        ),
        migrations.AlterField(
            model_name="marketday",
            name="run_id",
            field=models.CharField(
                blank=True,
                help_text="run that inserted the row; empty: edited or imported by hand",
                max_length=64,
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="pipelinerun",
            name="is_replay",
            field=models.BooleanField(default=False, help_text="for an older session: only reports"),
        ),
        migrations.AlterField(
            model_name="pipelinerun",
            name="session",
            field=models.DateField(blank=True, help_text="the session the run stands for", null=True),
        ),
        migrations.AlterField(
            model_name="pipelinerun",
            name="triggered_by",
            field=models.CharField(help_text="schedule, command, or the user", max_length=100),
        ),
        migrations.AlterField(
            model_name="pipelinerun",
            name="waits_for",
            field=models.JSONField(
                blank=True, default=list, help_text="prerequisites: jobs, runs or conditions, as text"
            ),
        ),
        migrations.AlterField(
            model_name="pipelinestep",
            name="fence",
            field=models.PositiveIntegerField(default=0, help_text="grows with each claim; an older owner is refused"),
        ),
        migrations.AlterField(
            model_name="sourcefile",
            name="rejected",
            field=models.IntegerField(help_text="rows rejected"),
        ),
        migrations.AlterField(
            model_name="sourcefile",
            name="rows",
            field=models.IntegerField(help_text="bars stored"),
        ),
    ]
