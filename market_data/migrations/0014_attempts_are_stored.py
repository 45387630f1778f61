import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("market_data", "0013_stored_runs_are_numbered_by_their_commits"),
    ]

    operations = [
        migrations.AddField(
            model_name="pipelinestep",
            name="fruitless_attempts",
            field=models.PositiveIntegerField(
                db_default=0, default=0, help_text="since it last committed something or was retried; limited"
            ),
        ),
        migrations.AlterField(
            model_name="pipelinestep",
            name="attempts",
            field=models.PositiveIntegerField(default=0, help_text="how often it was begun"),
        ),
        migrations.CreateModel(
            name="StepAttempt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField(help_text="of the step's attempts, from 1")),
                ("fence", models.PositiveIntegerField(help_text="that the claim gave the step")),
                ("worker", models.CharField(blank=True, max_length=200)),
                ("started_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "renewed_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        help_text="last sign of life of its worker",
                    ),
                ),
                (
                    "ended_at",
                    models.DateTimeField(blank=True, help_text="of a lost worker: its last sign of life", null=True),
                ),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("running", "At work"),
                            ("completed", "Completed"),
                            ("waited", "Not yet possible"),
                            ("postponed", "Postponed"),
                            ("failed", "Failed"),
                            ("errored", "Errored"),
                            ("cancelled", "Cancelled"),
                            ("lost", "Worker lost"),
                        ],
                        default="running",
                        max_length=10,
                    ),
                ),
                ("reason", models.TextField(blank=True)),
                ("traceback", models.TextField(blank=True)),
                ("log_lines", models.JSONField(blank=True, default=list)),
                (
                    "step",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="attempt_log",
                        to="market_data.pipelinestep",
                    ),
                ),
            ],
            options={
                "db_table": "step_attempts",
                "ordering": ("step", "number"),
                "indexes": [models.Index(fields=["ended_at"], name="idx_attempts_ended")],
                "constraints": [
                    models.UniqueConstraint(fields=("step", "number"), name="step_attempts_number"),
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at", None)), fields=("step",), name="step_attempts_one_at_work"
                    ),
                ],
            },
        ),
    ]
