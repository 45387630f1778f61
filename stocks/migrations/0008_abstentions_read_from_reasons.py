"""Why past sessions have no picks, which only the sentence of their publications states."""

from django.db import migrations

BEGINNINGS = {
    "There are no bars of ": "no_bars",
    "The data of ": "data",
    "No share was tradable on ": "no_shares",
    "No accepted model ": "model",
}


def fill_abstentions(apps, schema_editor):
    publications = apps.get_model("stocks", "Publication").objects.using(schema_editor.connection.alias)
    empty = publications.filter(count=0, abstention="")
    for beginning, abstention in BEGINNINGS.items():
        empty.filter(reason__startswith=beginning).update(abstention=abstention)


class Migration(migrations.Migration):
    dependencies = [("stocks", "0007_publications_know_why_they_abstain")]
    operations = [migrations.RunPython(fill_abstentions, migrations.RunPython.noop)]
