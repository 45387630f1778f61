"""What was in use becomes the first champion, so that the next selection still publishes."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def record_first_champion(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    database = editor.connection.alias
    accepted = apps.get_model("ml", "TrainedModel").objects.using(database).filter(status="accepted").exclude(recipe="")
    model = accepted.order_by("-session", "-trained_at").first()
    if model is not None:
        apps.get_model("ml", "ChampionChange").objects.using(database).create(
            session=model.session,
            kind="first",
            recipe=model.recipe,
            estimator=model.estimator,
            parameters=model.parameters,
            reason=f"{model.estimator} {model.recipe} was in use before there were champions.",
        )


class Migration(migrations.Migration):
    dependencies = [("ml", "0005_champions_and_versions_of_software")]

    operations = [migrations.RunPython(record_first_champion, migrations.RunPython.noop)]
